// Moments are whole unix seconds; people see UTC.

export function toField(seconds) {
  return new Date(1000 * seconds).toISOString().slice(0, 19);
}

/** NaN where the field is not filled in. */
export function fromField(text) {
  return Math.floor(Date.parse(`${text}Z`) / 1000);
}

export function before(seconds) {
  const units = [[31536000, "year"], [2592000, "month"], [604800, "week"], [86400, "day"], [3600, "hour"], [60, "minute"]];
  for (const [size, name] of units) {
    const count = Math.floor(seconds / size);
    if (count >= 1) return `${count} ${name}${count > 1 ? "s" : ""} before`;
  }
  return seconds >= 0 ? "just before" : "after the question";
}
