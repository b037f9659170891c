'use strict';
// A name that is asked for: what of it will mostly change is marked.
const field = document.getElementById('name');
if (field) {
  field.focus();
  const stem = Number(field.dataset.stem);
  if (stem > 0) field.setSelectionRange(0, stem);
  else field.select();
}
