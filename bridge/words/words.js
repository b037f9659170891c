'use strict';
// say(key, args) is a string of the page's catalogue, which stands as JSON in the element
// with the ID "words". Numbers get the form of the page's language; "n" chooses the plural.
const say = (() => {
  const language = document.documentElement.lang || 'en';
  // The person's own variety of it: en-GB writes dates in another way than en-US.
  const variety = navigator.language.split('-')[0] === language ? navigator.language : language;
  const element = document.getElementById('words');
  const all = element ? JSON.parse(element.textContent) : {};
  const numbers = new Intl.NumberFormat(variety);
  const plurals = new Intl.PluralRules(language);
  const say = (key, args = {}) => {
    let words = all[key];
    if (words === undefined) return key;
    if (typeof words !== 'string') words = words[plurals.select(args.n)] ?? words.other;
    return words.replace(/\{([^}]+)\}/g, (_, name) => {
      const value = args[name];
      return typeof value === 'number' ? numbers.format(value) : String(value ?? '');
    });
  };
  say.language = variety;
  return say;
})();
