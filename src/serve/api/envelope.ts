import type { FastifyReply } from 'fastify';

/** An error in an answer. */
export interface ApiFault {
  /** A constant such as `NOT_FOUND`. */
  readonly code: string;
  readonly message: string;
}

/** An error answer, thrown by routes. */
export class Refusal extends Error {
  readonly status: number;
  readonly faults: readonly ApiFault[];

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.faults = [{ code, message }];
  }
}

/** Returns the text of a success answer. @param data JSON text */
export function good(data: string): string {
  return `{"status":"ok","data":${data},"error_data":[],"error_msg":""}`;
}

/** Returns the text of an error answer. */
export function bad(faults: readonly ApiFault[]): string {
  const error_msg = faults.map(({ message }) => message).join('; ');
  return JSON.stringify({ status: 'error', data: null, error_data: faults, error_msg });
}

/** Sends JSON text. */
export function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type('application/json; charset=utf-8').send(text);
}
