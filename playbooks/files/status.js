(function () {
  "use strict";
  var table = document.getElementById("jails");
  if (!table) { return; }
  var body = table.tBodies[0];
  var rows = Array.prototype.slice.call(body.rows);
  var controls = document.getElementById("controls");
  var search = document.getElementById("search");
  var count = document.getElementById("count");
  var onlyProblems = document.getElementById("only-problems");

  function shown(row, words) {
    if (onlyProblems.getAttribute("aria-pressed") === "true" && !row.dataset.level) { return false; }
    var text = row.textContent.toLowerCase();
    return words.every(function (word) { return text.indexOf(word) !== -1; });
  }

  function filter() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    var visible = 0;
    rows.forEach(function (row) {
      row.hidden = !shown(row, words);
      visible += row.hidden ? 0 : 1;
    });
    count.textContent = visible === rows.length ? "" : visible + " of " + rows.length + " jails";
  }

  function compare(column, numeric) {
    return function (one, other) {
      var a = one.cells[column].dataset.sort || "", b = other.cells[column].dataset.sort || "";
      return numeric ? (parseFloat(a) || 0) - (parseFloat(b) || 0) : a.localeCompare(b, undefined, { numeric: true });
    };
  }

  Array.prototype.forEach.call(table.tHead.rows[0].cells, function (header, column) {
    var numeric = header.dataset.type === "number";
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.textContent = "";
    header.appendChild(button);
    button.addEventListener("click", function () {
      // The largest figure is what one looks for first.
      var first = numeric ? "descending" : "ascending";
      var second = numeric ? "ascending" : "descending";
      var order = header.getAttribute("aria-sort") === first ? second : first;
      Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) { other.removeAttribute("aria-sort"); });
      header.setAttribute("aria-sort", order);
      rows.sort(compare(column, numeric));
      if (order === "descending") { rows.reverse(); }
      rows.forEach(function (row) { body.appendChild(row); });
    });
  });

  onlyProblems.addEventListener("click", function () {
    onlyProblems.setAttribute("aria-pressed", String(onlyProblems.getAttribute("aria-pressed") !== "true"));
    filter();
  });
  search.addEventListener("input", filter);
  controls.hidden = false;
}());
