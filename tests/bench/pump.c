/* Copyright (c) 2026, the hosting.jails contributors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TCP between two ends of a machine: how much, and how fast there and back.
 *
 * usage: pump serve ADDRESS PORT              takes connections until it is killed; prints "ready"
 *        pump accept ADDRESS PORT             the same, and closes them at once
 *        pump stream ADDRESS PORT SECONDS     sends as much as it can
 *        pump echo ADDRESS PORT SECONDS       sends a byte and waits for it, again and again
 *        pump connect ADDRESS PORT SECONDS    connects and closes, again and again
 * The last three print how many bytes, echoes or connections a second those were, and how many nanoseconds of its
 * processor's time one of them took: that counts no other programs.
 * The first byte of a connection says what the server is to do: take everything in ('s'), send back what comes ('e').
 * Servers run on the first processor and the others on the last: where the scheduler puts them would count for more than
 * what is between them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (128 * 1024)

static char buffer[CHUNK];

static double clock_of(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static double now(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

static void stay_on(int first)
{
    cpu_set_t all, one;
    int found = -1;
    sched_getaffinity(0, sizeof all, &all);
    for (int number = 0; number < CPU_SETSIZE; number++)
        if (CPU_ISSET(number, &all) && (found < 0 || !first))
            found = number;
    CPU_ZERO(&one);
    CPU_SET(found, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static struct sockaddr_in address_of(char **words)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    if (inet_pton(AF_INET, words[0], &address.sin_addr) != 1)
        errx(2, "%s is no address", words[0]);
    return address;
}

static int connection_to(struct sockaddr_in address)
{
    int on = 1, made = socket(AF_INET, SOCK_STREAM, 0);
    if (made < 0 || connect(made, (struct sockaddr *)&address, sizeof address) < 0)
        err(1, "connect");
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return made;
}

static void answer(int connection)
{
    int on = 1;
    ssize_t got;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (read(connection, buffer, 1) != 1)
        return;
    int echoes = buffer[0] == 'e';
    while ((got = read(connection, buffer, echoes ? 1 : CHUNK)) > 0)
        if (echoes && write(connection, buffer, 1) != 1)
            return;
    /* All of it is here: who sends counts nothing that waits in between. */
    if (!echoes && write(connection, "d", 1) != 1)
        return;
}

static void serve(struct sockaddr_in address, int answers)
{
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 128) < 0)
        err(1, "listen");
    signal(SIGCHLD, SIG_IGN);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            continue;
        if (answers && fork() == 0) {
            close(listener);
            answer(connection);
            _exit(0);
        }
        close(connection);
    }
}

static double stream(struct sockaddr_in address, double seconds)
{
    int connection = connection_to(address);
    double begun, sent = 0;
    if (write(connection, "s", 1) != 1)
        err(1, "write");
    for (begun = now(); now() - begun < seconds;) {
        ssize_t done = write(connection, buffer, CHUNK);
        if (done < 0)
            err(1, "write");
        sent += done;
    }
    shutdown(connection, SHUT_WR);
    if (read(connection, buffer, 1) != 1)
        err(1, "read");
    return sent;
}

static double echo(struct sockaddr_in address, double seconds)
{
    int connection = connection_to(address);
    double begun, turns = 0;
    if (write(connection, "e", 1) != 1)
        err(1, "write");
    for (begun = now(); now() - begun < seconds; turns++)
        if (write(connection, "x", 1) != 1 || read(connection, buffer, 1) != 1)
            err(1, "echo");
    return turns;
}

static double connects(struct sockaddr_in address, double seconds)
{
    struct linger at_once = {.l_onoff = 1};
    double begun = now(), turns = 0;
    for (; now() - begun < seconds; turns++) {
        int connection = connection_to(address);
        /* By a reset, so that no port waits for a minute. */
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(connection);
    }
    return turns;
}

int main(int count, char **words)
{
    if (count < 4)
        errx(2, "usage: pump serve|accept|stream|echo|connect ADDRESS PORT [SECONDS]");
    struct sockaddr_in address = address_of(words + 2);
    double seconds = count > 4 ? atof(words[4]) : 1;
    int serves = !strcmp(words[1], "serve"), accepts = !strcmp(words[1], "accept");
    stay_on(serves || accepts);
    if (serves || accepts)
        serve(address, serves);
    double begun = now(), used = clock_of(CLOCK_PROCESS_CPUTIME_ID), done;
    if (!strcmp(words[1], "stream"))
        done = stream(address, seconds);
    else if (!strcmp(words[1], "echo"))
        done = echo(address, seconds);
    else if (!strcmp(words[1], "connect"))
        done = connects(address, seconds);
    else
        errx(2, "%s is nothing that this does", words[1]);
    used = clock_of(CLOCK_PROCESS_CPUTIME_ID) - used;
    printf("%.3f %.3f\n", done / (now() - begun), used / done * 1e9);
    return 0;
}
