/* Copyright (c) 2026, the hosting.jails contributors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The floor under the engine: a program that makes the system calls of the engine's start and stop of an app jail, in
 * the same order and with the same arguments, and does nothing else: it parses, looks up and decides nothing. What
 * the engine takes longer is Python.
 *
 * usage: floor WINDOW LOWER FILTER CGROUP_ROOT... -- NAME...
 *
 * Starts each jail NAME with the namespaces that the engine has pinned for it and on the layers that the engine has
 * made for it, so both stand on the same ground; then stops them all. At most WINDOW starts are under way at a time:
 * 1 is one after the other. Prints "start" and "stop" with nanoseconds for all of them together.
 * LOWER is the template's directory, FILTER a file that holds a seccomp program, CGROUP_ROOT the version 2 tree
 * first, then each version 1 tree.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/capability.h>
#include <linux/seccomp.h>

/* sys/mount.h has it, but cannot be included together with linux/mount.h. */
#define MNT_DETACH 2
#define LARGEST 512
#define MOST_STARTS 1024
#define INIT "/usr/bin/catatonit"
#define NO_DEVICES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define NO_PROGRAMS (NO_DEVICES | MOUNT_ATTR_NOEXEC)
/* The capabilities of the profile "service": chown ... setfcap, as bits. */
#define KEPT_CAPABILITIES 0x800005fbULL

static const char *const MASKED[] = {
    "proc/acpi", "proc/asound", "proc/config.gz", "proc/interrupts", "proc/iomem", "proc/ioports", "proc/kallsyms",
    "proc/kcore", "proc/key-users", "proc/keys", "proc/kmsg", "proc/kpagecgroup", "proc/kpagecount",
    "proc/kpageflags", "proc/latency_stats", "proc/modules", "proc/sched_debug", "proc/scsi", "proc/slabinfo",
    "proc/sysrq-trigger", "proc/timer_list", "proc/timer_stats", "proc/vmallocinfo", "sys/devices/virtual/powercap",
    "sys/firmware", "sys/fs/bpf", "sys/fs/selinux", "sys/kernel/debug", "sys/kernel/notes", "sys/kernel/security",
    "sys/kernel/tracing", "sys/kernel/vmcoreinfo", NULL};
static const char *const READ_ONLY[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", NULL};
static const struct { const char *name; int major, minor; } DEVICES[] = {
    {"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
static const char *const LINKS[][2] = {{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"},
    {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}};

static const char *lower;
static struct sock_fprog filter;
static char **cgroup_roots;
static int cgroup_count;

struct jail {
    const char *name;
    uid_t base;
    int control, pidfd, output;
    pid_t helper, init;
    int released;
};

static int check(long result, const char *what)
{
    if (result >= 0)
        return (int)result;
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    _exit(70);
}

static const char *format(char *buffer, const char *pattern, ...)
{
    va_list arguments;
    va_start(arguments, pattern);
    vsnprintf(buffer, LARGEST, pattern, arguments);
    va_end(arguments);
    return buffer;
}

static void put(const char *path, const char *text)
{
    int fd = check(open(path, O_WRONLY | O_CLOEXEC), path);
    check(write(fd, text, strlen(text)), path);
    close(fd);
}

static long take(const char *path, char *buffer)
{
    int fd = check(open(path, O_RDONLY | O_CLOEXEC), path);
    long size = read(fd, buffer, LARGEST - 1);
    close(fd);
    buffer[size < 0 ? 0 : size] = 0;
    return size;
}

/* As the engine writes what it knows of a jail: a new file, renamed over the old one. */
static void record(const char *name, const char *file)
{
    static const char state[300] = "{ state of a jail, about this long }";
    char path[LARGEST], temporary[LARGEST];
    format(path, "/run/jails/%s/%s", name, file);
    format(temporary, "/run/jails/%s/.%s.tmp", name, file);
    int fd = check(open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), temporary);
    check(write(fd, state, sizeof state), temporary);
    close(fd);
    check(rename(temporary, path), path);
}

/* Control groups */

static void make_group(const char *above, const char *path)
{
    char file[LARGEST], value[LARGEST];
    if (mkdir(path, 0755) < 0)
        return;
    for (int k = 0; k < 2 && strstr(above, "cpuset"); k++) {
        const char *name = k ? "mems" : "cpus";
        take(format(file, "%s/cpuset.%s", above, name), value);
        put(format(file, "%s/cpuset.%s", path, name), value);
    }
}

static void make_groups(const char *name)
{
    char above[LARGEST], path[LARGEST];
    for (int i = 0; i < cgroup_count; i++) {
        format(above, "%s/jails", cgroup_roots[i]);
        make_group(above, format(path, "%s/%s", above, name));
    }
}

static void join_groups(const char *name)
{
    char path[LARGEST];
    for (int i = 0; i < cgroup_count; i++)
        put(format(path, "%s/jails/%s/%s", cgroup_roots[i], name, i ? "tasks" : "cgroup.procs"), "0");
}

static void remove_groups(const char *name)
{
    char path[LARGEST];
    for (int i = 0; i < cgroup_count; i++) {
        format(path, "%s/jails/%s", cgroup_roots[i], name);
        while (rmdir(path) < 0 && errno == EBUSY)
            usleep(100);
    }
}

/* Mounts */

static int beneath(int root, const char *path, int flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return syscall(SYS_openat2, root, path, &how, sizeof how);
}

static void set_attributes(int fd, unsigned long long attributes, int idmap)
{
    struct mount_attr request = {.attr_set = attributes, .userns_fd = idmap};
    check(syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &request, sizeof request), "mount_setattr");
}

static int clone_of(int fd, const char *path)
{
    return check(syscall(SYS_open_tree, fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH)), path);
}

static void move_to(int mount, int target)
{
    int flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    check(syscall(SYS_move_mount, mount, "", target, "", flags), "move_mount");
    close(target);
    close(mount);
}

/* Options are pairs of key and value up to a NULL key; an empty value makes a flag. */
static int new_filesystem(const char *type, unsigned attributes, const char *const *options)
{
    int context = check(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), type);
    for (; *options; options += 2) {
        int command = *options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
        check(syscall(SYS_fsconfig, context, command, options[0], *options[1] ? options[1] : NULL, 0), options[0]);
    }
    check(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
    int mount = check(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes), type);
    close(context);
    return mount;
}

static void mount_new(int root, const char *path, const char *type, unsigned attributes, const char *const *options)
{
    move_to(new_filesystem(type, attributes, options), check(beneath(root, path, O_PATH | O_DIRECTORY), path));
}

static void make_directory(int dev, const char *name, uid_t base)
{
    check(mkdirat(dev, name, 0755), name);
    check(fchownat(dev, name, base, base, AT_SYMLINK_NOFOLLOW), name);
}

static int attach_root(const struct jail *jail, int user_namespace)
{
    char stage[LARGEST], upper[LARGEST], work[LARGEST];
    format(stage, "/run/jails/%s/root", jail->name);
    mkdir(stage, 0755);
    int layer = clone_of(AT_FDCWD, lower);
    set_attributes(layer, MOUNT_ATTR_IDMAP, user_namespace);
    check(syscall(SYS_move_mount, layer, "", AT_FDCWD, stage, MOVE_MOUNT_F_EMPTY_PATH), "attach the lower layer");
    close(layer);
    const char *options[] = {"source", jail->name, "lowerdir", stage,
        "upperdir", format(upper, "/var/lib/jails/roots/%s/upper", jail->name),
        "workdir", format(work, "/var/lib/jails/roots/%s/work", jail->name), NULL};
    int root = new_filesystem("overlay", 0, options);
    check(syscall(SYS_move_mount, root, "", AT_FDCWD, stage, MOVE_MOUNT_F_EMPTY_PATH), "attach the overlay");
    return root;
}

static void cover(int root, int null)
{
    struct stat status;
    for (const char *const *path = MASKED; *path; path++) {
        int target = beneath(root, *path, O_PATH);
        if (target < 0)
            continue;
        check(fstat(target, &status), *path);
        move_to(S_ISDIR(status.st_mode)
                    ? new_filesystem("tmpfs", MOUNT_ATTR_RDONLY, (const char *const[]){"size", "0", "nr_inodes", "1", NULL})
                    : clone_of(null, ""), target);
    }
    for (const char *const *path = READ_ONLY; *path; path++) {
        int target = check(beneath(root, *path, O_PATH), *path), clone = clone_of(target, "");
        set_attributes(clone, NO_PROGRAMS | MOUNT_ATTR_RDONLY, 0);
        move_to(clone, target);
    }
}

static void build_tree(int root, uid_t base)
{
    char owner[LARGEST], terminals[LARGEST];
    format(owner, "%u", base);
    format(terminals, "%u", base + 5);
    const char *const none[] = {NULL};
    mount_new(root, "proc", "proc", NO_PROGRAMS, none);
    mount_new(root, "sys", "sysfs", NO_PROGRAMS | MOUNT_ATTR_RDONLY, none);
    mount_new(root, "sys/fs/cgroup", "cgroup2", NO_PROGRAMS | MOUNT_ATTR_RDONLY, none);
    mount_new(root, "dev", "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, (const char *const[]){
        "mode", "755", "uid", owner, "gid", owner, "size", "512k", "nr_inodes", "128", NULL});
    int dev = check(beneath(root, "dev", O_PATH | O_DIRECTORY), "dev");
    for (size_t i = 0; i < sizeof LINKS / sizeof *LINKS; i++)
        check(symlinkat(LINKS[i][0], dev, LINKS[i][1]), LINKS[i][1]);
    make_directory(dev, "pts", base);
    mount_new(root, "dev/pts", "devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, (const char *const[]){
        "newinstance", "", "ptmxmode", "0666", "mode", "0620", "gid", terminals, "uid", owner, NULL});
    for (size_t i = 0; i < sizeof DEVICES / sizeof *DEVICES; i++) {
        check(mknodat(dev, DEVICES[i].name, S_IFCHR | 0666, makedev(DEVICES[i].major, DEVICES[i].minor)), "mknod");
        check(fchownat(dev, DEVICES[i].name, base, base, AT_SYMLINK_NOFOLLOW), "chown");
        check(fchmodat(dev, DEVICES[i].name, 0666, 0), "chmod");
    }
    mount_new(root, "run", "tmpfs", NO_DEVICES, (const char *const[]){
        "mode", "755", "uid", owner, "gid", owner, "size", "20%", NULL});
    make_directory(dev, "shm", base);
    mount_new(root, "dev/shm", "tmpfs", NO_DEVICES, (const char *const[]){
        "mode", "1777", "uid", owner, "gid", owner, NULL});
    make_directory(dev, "mqueue", base);
    mount_new(root, "dev/mqueue", "mqueue", NO_PROGRAMS, none);
    close(dev);
    int null = check(beneath(root, "dev/null", O_PATH), "dev/null");
    cover(root, null);
    close(null);
}

static void pivot(int root)
{
    check(fchdir(root), "fchdir");
    int old = check(open("/", O_DIRECTORY | O_PATH | O_CLOEXEC), "/");
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(fchdir(old), "fchdir");
    check(syscall(SYS_umount2, ".", MNT_DETACH), "umount2");
    check(chdir("/"), "chdir");
    close(old);
}

/* The jail's two processes */

static void die_with_parent(int on)
{
    check(prctl(PR_SET_PDEATHSIG, on ? SIGKILL : 0, 0, 0, 0), "PR_SET_PDEATHSIG");
}

static void write_file(const char *path, const char *text)
{
    char temporary[LARGEST];
    int fd = check(open(format(temporary, "%s.jail", path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644), path);
    check(write(fd, text, strlen(text)), path);
    close(fd);
    check(rename(temporary, path), path);
}

static void impose_ceiling(void)
{
    for (int number = 0; number < 64; number++)
        if (!(KEPT_CAPABILITIES >> number & 1) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
            break;
    gid_t root_group = 0;
    check(setgroups(1, &root_group), "setgroups");
    check(setresgid(0, 0, 0), "setresgid");
    check(setresuid(0, 0, 0), "setresuid");
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{(unsigned)KEPT_CAPABILITIES, (unsigned)KEPT_CAPABILITIES, 0}};
    check(syscall(SYS_capset, &header, data), "capset");
    check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "PR_CAP_AMBIENT");
    check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
    check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0), "PR_SET_SECCOMP");
}

static void run_init(const struct jail *jail, int control, int root, int user_namespace, int released)
{
    char text[LARGEST];
    die_with_parent(1);
    int init = check(open(INIT, O_PATH | O_CLOEXEC), INIT);
    build_tree(root, jail->base);
    pivot(root);
    check(setns(user_namespace, CLONE_NEWUSER), "setns user");
    check(setgroups(0, NULL), "setgroups");
    check(setresgid(0, 0, 0), "setresgid");
    check(setresuid(0, 0, 0), "setresuid");
    check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE");
    die_with_parent(1);
    check(unshare(CLONE_NEWNS), "unshare mnt");
    syscall(SYS_keyctl, 1, NULL);
    write_file("/etc/hostname", format(text, "%s\n", jail->name));
    write_file("/etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
    take("/etc/passwd", text);
    take("/etc/group", text);
    check(access("/usr/bin/sleep", X_OK), "/usr/bin/sleep");
    int null = check(open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null");
    dup2(null, 0);
    dup2(jail->output, 1);
    dup2(jail->output, 2);
    check(fchown(jail->output, 0, -1), "fchown");
    int from = 3;
    for (int fd = 3; fd <= init || fd <= control || fd <= released; fd++) {
        if (fd != init && fd != control && fd != released)
            continue;
        if (fd > from)
            close_range(from, fd - 1, 0);
        from = fd + 1;
    }
    close_range(from, ~0U, 0);
    check(chdir("/"), "chdir");
    die_with_parent(0);
    close(released);
    check(write(control, "r", 1), "report");
    if (read(control, text, 2) != 2)
        _exit(1);
    impose_ceiling();
    char *const arguments[] = {"catatonit", "--", "sleep", "inf", NULL};
    char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
        "USER=root", "container=jail", NULL};
    check(syscall(SYS_execveat, init, "", arguments, environment, AT_EMPTY_PATH), "execveat");
}

static void run_helper(const struct jail *jail, int control, int user_namespace)
{
    char text[LARGEST];
    struct timespec monotonic, boot;
    die_with_parent(1);
    check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE");
    setsid();
    umask(022);
    for (int number = 1; number < SIGRTMAX; number++)
        signal(number, SIG_DFL);
    sigset_t empty;
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    join_groups(jail->name);
    int net = check(open(format(text, "/run/jails/%s/ns/net", jail->name), O_RDONLY | O_CLOEXEC), text);
    check(setns(net, CLONE_NEWNET), "setns net");
    close(net);
    check(unshare(CLONE_NEWTIME), "unshare time");
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    put("/proc/self/timens_offsets", format(text, "monotonic -%ld 0\nboottime -%ld 0\n", monotonic.tv_sec, boot.tv_sec));
    check(unshare(CLONE_NEWNS), "unshare mnt");
    check(syscall(SYS_mount, NULL, "/", NULL, MS_SLAVE | MS_REC, NULL), "make / a slave");
    int root = attach_root(jail, user_namespace);
    check(unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWPID), "unshare");
    check(sethostname(jail->name, strlen(jail->name)), "sethostname");
    int waiting[2];
    check(pipe2(waiting, O_CLOEXEC), "pipe2");
    pid_t init = check(fork(), "fork");
    if (init == 0) {
        close(waiting[0]);
        run_init(jail, control, root, user_namespace, waiting[1]);
    }
    close(waiting[1]);
    check(write(control, &init, sizeof init), "report");
    if (read(waiting[0], text, 1) < 0)
        _exit(70);
    _exit(0);
}

/* The launcher */

static void begin(struct jail *jail)
{
    char path[LARGEST];
    struct stat status;
    int pair[2];
    check(stat(format(path, "/var/lib/jails/roots/%s/upper", jail->name), &status), path);
    jail->base = status.st_uid;
    record(jail->name, "state.json");
    make_groups(jail->name);
    record(jail->name, "started.json");
    record(jail->name, "ceiling.json");
    mkfifo(format(path, "/run/jails/%s/output", jail->name), 0600);
    check(chown(path, jail->base, jail->base), path);
    jail->output = check(open(path, O_RDWR | O_CLOEXEC), path);
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
    int user = check(open(format(path, "/run/jails/%s/ns/user", jail->name), O_RDONLY | O_CLOEXEC), path);
    jail->helper = check(fork(), "fork");
    if (jail->helper == 0) {
        close(pair[0]);
        run_helper(jail, pair[1], user);
    }
    close(user);
    close(pair[1]);
    jail->control = pair[0];
}

/* One step of a start; whether it was the last. */
static int advance(struct jail *jail)
{
    char message[16], path[LARGEST], stat_line[LARGEST];
    long size = read(jail->control, message, sizeof message);
    if (size == sizeof(pid_t)) {
        memcpy(&jail->init, message, sizeof(pid_t));
        jail->pidfd = check(syscall(SYS_pidfd_open, jail->init, 0), "pidfd_open");
        take(format(path, "/proc/%d/stat", jail->init), stat_line);
        return 0;
    }
    if (size == 1) {
        jail->released = 1;
        check(write(jail->control, "go", 2), "release");
        return 0;
    }
    if (!jail->released) {
        fprintf(stderr, "floor: %s did not start\n", jail->name);
        exit(70);
    }
    close(jail->control);
    jail->control = -1;
    check(waitpid(jail->helper, NULL, 0), "waitpid");
    record(jail->name, "state.json");
    return 1;
}

static void start_all(struct jail *jails, int count, int window)
{
    struct pollfd polled[MOST_STARTS];
    struct jail *owner[MOST_STARTS];
    int begun = 0, done = 0;
    while (done < count) {
        while (begun < count && begun - done < window)
            begin(&jails[begun++]);
        int waiting = 0;
        for (int i = 0; i < begun; i++) {
            if (jails[i].control < 0)
                continue;
            owner[waiting] = &jails[i];
            polled[waiting++] = (struct pollfd){.fd = jails[i].control, .events = POLLIN};
        }
        check(poll(polled, waiting, -1), "poll");
        for (int i = 0; i < waiting; i++)
            if (polled[i].revents)
                done += advance(owner[i]);
    }
}

static void stop(struct jail *jail)
{
    char path[LARGEST];
    struct pollfd ended = {.fd = jail->pidfd, .events = POLLIN};
    record(jail->name, "state.json");
    put(format(path, "%s/jails/%s/cgroup.kill", cgroup_roots[0], jail->name), "1");
    check(poll(&ended, 1, -1), "poll");
    check(waitpid(jail->init, NULL, 0), "waitpid");
    remove_groups(jail->name);
    record(jail->name, "state.json");
    close(jail->pidfd);
    close(jail->output);
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void load_filter(const char *path)
{
    struct stat status;
    int fd = check(open(path, O_RDONLY | O_CLOEXEC), path);
    check(fstat(fd, &status), path);
    filter.len = status.st_size / sizeof(struct sock_filter);
    filter.filter = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
}

int main(int count, char **arguments)
{
    static struct jail jails[MOST_STARTS];
    char path[LARGEST];
    int names = 4, jail_count = 0, window = atoi(arguments[1]);
    lower = arguments[2];
    load_filter(arguments[3]);
    cgroup_roots = arguments + names;
    while (strcmp(arguments[names], "--"))
        names++;
    cgroup_count = names - 4;
    for (int i = names + 1; i < count; i++)
        jails[jail_count++].name = arguments[i];
    check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE");
    check(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER");
    for (int i = 0; i < cgroup_count; i++)
        make_group(cgroup_roots[i], format(path, "%s/jails", cgroup_roots[i]));
    long long begun = now();
    start_all(jails, jail_count, window);
    printf("start %lld\n", now() - begun);
    begun = now();
    for (int i = 0; i < jail_count; i++)
        stop(&jails[i]);
    printf("stop %lld\n", now() - begun);
    return 0;
}
