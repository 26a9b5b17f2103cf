// @ts-check
/** The log reads without scripts; `undo` comes with them. */
