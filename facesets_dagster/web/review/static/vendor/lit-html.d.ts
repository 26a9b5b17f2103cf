/** Of lit-html 3.3.3, as far as the page uses it. */

export interface TemplateResult {
  readonly strings: TemplateStringsArray;
  readonly values: readonly unknown[];
}

export declare const html: (strings: TemplateStringsArray, ...values: readonly unknown[]) => TemplateResult;
export declare const nothing: unique symbol;
export declare const render: (value: unknown, container: HTMLElement | DocumentFragment) => unknown;
