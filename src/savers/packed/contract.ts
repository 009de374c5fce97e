/** Method of packing an output: each commit is one member, which any program for it unpacks with the others. */
export interface Codec {
  readonly name: 'gzip' | 'zstd';
  /** Command that writes the contents of a file to stdout. */
  readonly tool: string;
  /** First bytes of each member. */
  readonly start: Buffer;
  /** Number of bytes before the data of a member that contain its lengths. */
  readonly headLength: number;
  /** Packs bytes as one member that `lengthsIn` can tell the lengths of. */
  pack(bytes: Buffer): Promise<Buffer>;
  /** Unpacks one whole member. @throws an error if it is damaged */
  unpack(member: Buffer): Promise<Buffer>;
  /** Returns the lengths of a member by its first `headLength` bytes; undefined if task-save did not write it. */
  lengthsIn(head: Buffer): Lengths | undefined;
}

/** Lengths of a member, in bytes. */
export interface Lengths {
  /** Length in the file. */
  readonly packed: number;
  /** Length of its contents. */
  readonly plain: number;
}
