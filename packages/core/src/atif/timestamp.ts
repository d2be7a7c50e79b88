const DATE = /^(\d{4})-?(\d{2})-?(\d{2})$/;
const WEEK_DATE = /^\d{4}-?W(0[1-9]|[1-4]\d|5[0-3])(-?[1-7])?$/;
const TIME = /^([01]\d|2[0-3])(:?[0-5]\d(:?[0-5]\d([.,]\d+)?)?)?$/;
const ZONE = /(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d(:?[0-5]\d([.,]\d+)?)?)?)$/;

/** True for what Python's `datetime.fromisoformat` reads: Harbor's idea of an ISO 8601 time. */
export function isTimestamp(text: string): boolean {
  const [date = "", clock] = split(text);
  if (!isDate(date)) return false;
  return clock === undefined || TIME.test(clock.replace(ZONE, ""));
}

/** Date and time, with any one character between them. */
function split(text: string): [string, string?] {
  const length = [10, 8].find((size) => isDate(text.slice(0, size)) && text.length !== size + 1);
  if (length === undefined || text.length === length) return [text];
  return [text.slice(0, length), text.slice(length + 1)];
}

function isDate(text: string): boolean {
  if (WEEK_DATE.test(text)) return true;
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined) return false;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return Number(year) > 0 && date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}
