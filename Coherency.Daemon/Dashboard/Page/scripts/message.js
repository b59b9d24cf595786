// How values stand in protobuf's JSON: 64-bit integers as text, lengths of time as "1.5s", values of an enum with a prefix.
// What is not there is null.

export const number = (value) => (value === undefined ? null : Number(value));

/** Of "1.5s". */
export const seconds = (duration) => (duration === undefined ? null : Number.parseFloat(duration));

/** "mounted" of "GUEST_STATE_MOUNTED" and "GUEST_STATE_". */
export const word = (value, prefix) => value.slice(prefix.length).toLowerCase();
