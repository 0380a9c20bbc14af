// Runs before the page is painted, so that a remembered theme does not flash.
try {
  const theme = localStorage.getItem('relay-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is off: the system's preference holds.
}
