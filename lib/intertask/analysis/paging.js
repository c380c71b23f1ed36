(() => {
  const shown = document.currentScript.previousElementSibling;
  const library = (window.intertaskPaging ??= Promise.withResolvers());
  library.promise.then(({ ITable }) => {
    const fold = shown.querySelector("details");
    const table = fold.querySelector("table");
    fold.replaceWith(table);
    new ITable(table, { order: [], autoWidth: false });
  });
})();
