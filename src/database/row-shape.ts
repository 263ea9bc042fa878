import pg from 'pg';

/** What of a RowDescription (PostgreSQL manual, 54.7) is kept. */
export type Field = pg.FieldDef;

type Parser = (text: string) => unknown;
type Columns = readonly (string | null)[];

/** The columns of a statement's rows: how its texts become values. */
export class RowShape {
  static readonly NONE = new RowShape([]);

  /** Those asked for last: a statement always asks for the same. */
  private types: pg.CustomTypesConfig | undefined;
  private parsers: Parser[] = [];

  constructor(readonly fields: Field[]) {}

  /** @throws Error of a parser, for a text that it does not understand */
  parse(columns: Columns, types: pg.CustomTypesConfig, rowMode: 'array' | undefined): unknown {
    const parsers = this.parsersOf(types);
    if (rowMode === 'array') return columns.map((text, at) => (text === null ? null : parsers[at]!(text)));
    const row: Record<string, unknown> = {};
    for (let at = 0; at < columns.length; at += 1) {
      const text = columns[at]!;
      row[this.fields[at]!.name] = text === null ? null : parsers[at]!(text);
    }
    return row;
  }

  private parsersOf(types: pg.CustomTypesConfig): Parser[] {
    if (types !== this.types) {
      this.parsers = this.fields.map(({ dataTypeID }) => types.getTypeParser(dataTypeID, 'text') as Parser);
      this.types = types;
    }
    return this.parsers;
  }
}
