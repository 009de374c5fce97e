type Content = Node | string;

/** Makes an element. External data is only ever inserted as text. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

/** Makes a button that shows the error if its action fails. */
export function button(words: string, act: () => Promise<void>): HTMLButtonElement {
  const made = element('button', { type: 'button' }, words);
  made.addEventListener('click', () => {
    made.disabled = true;
    act()
      .catch((error: Error) => alert(error.message))
      .finally(() => {
        made.disabled = false;
      });
  });
  return made;
}

/** Makes the label of a state, with its colour. */
export function stateOf(status: string): HTMLElement {
  return element('span', { class: `state ${status}` }, status);
}
