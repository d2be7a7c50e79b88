/**
 * ART's log of trajectory groups: a group a line, of the table's lines, which hold a trajectory each. In pieces,
 * since a group may be large.
 */
export async function* artJsonl(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let end = "";
  for await (const line of lines) {
    const row = JSON.parse(line) as { trajectory_index: number; trajectory_json: string; group_json: string };
    const isFirst = row.trajectory_index === 0;
    yield isFirst ? `${end}{"trajectories":[${row.trajectory_json}` : `,${row.trajectory_json}`;
    if (isFirst) end = `],${row.group_json.slice(1)}\n`;
  }
  yield end;
}
