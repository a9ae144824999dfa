// Sets the theme before anything is painted: a classic script, so that it runs at once.
{
  let kept = null;
  try {
    kept = localStorage.getItem("masklet.theme");
  } catch {
    /* storage may be refused: the system's choice holds */
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = kept ?? (dark ? "dark" : "light");
}
