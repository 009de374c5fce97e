import type { FastifyReply } from 'fastify';

/** Why a request was not answered as it was asked. */
export interface Fault {
  /** A constant, as in `NOT_FOUND`. */
  readonly code: string;
  readonly message: string;
}

/** An answer that is thrown. */
export class Refusal extends Error {
  readonly status: number;
  readonly faults: readonly Fault[];

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.faults = [{ code, message }];
  }
}

/** The text of a good answer. @param data JSON text */
export function good(data: string): string {
  return `{"status":"ok","data":${data},"error_data":[],"error_msg":""}`;
}

/** The text of a bad answer. */
export function bad(faults: readonly Fault[]): string {
  const error_msg = faults.map(({ message }) => message).join('; ');
  return JSON.stringify({ status: 'error', data: null, error_data: faults, error_msg });
}

/** Sends JSON text. */
export function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type('application/json; charset=utf-8').send(text);
}

/** The form of every answer, for OpenAPI. */
export function envelopeSchema(data: object): object {
  return {
    type: 'object',
    properties: {
      status: { type: 'string', enum: ['ok', 'error'] },
      data,
      error_data: {
        type: 'array',
        items: { type: 'object', properties: { code: { type: 'string' }, message: { type: 'string' } } },
      },
      error_msg: { type: 'string' },
    },
  };
}
