import type { RecordReject } from '../../core/record/ndjson.ts';
import type { LineFault } from '../../core/text/lines.ts';
import { type Assignment, type InvalidAnswer, oldestOf, type WorkerSetup } from './assignment.ts';
import { BatchReader, batchOf, ECHO } from './batch-form.ts';
import { FormerBatches } from './former-batches.ts';
import { batchOfInvalid } from './invalid-batch.ts';
import { ownerOf, parseAnswer, uuidsIn } from './worker-answer.ts';

/** Reader of the lines of one worker: finds the tasks that its answers are for, and hands them over. */
export class AnswerReader {
  readonly #setup: WorkerSetup;
  readonly #assignments: Map<string, Assignment>;
  /** Reader of answers for batches; undefined if each line is for a task. */
  readonly #batches: BatchReader | undefined;

  readonly #former = new FormerBatches();

  /** @param assignments tasks that the worker has, by uuid, the oldest first; those that it answers are removed */
  constructor(setup: WorkerSetup, assignments: Map<string, Assignment>) {
    this.#setup = setup;
    this.#assignments = assignments;
    this.#batches = setup.batchForm === undefined ? undefined : new BatchReader(setup.batchForm);
  }

  /** Takes a line. Returns whether it answers a task, or ends the answer for a batch. */
  take(line: string, fault: LineFault | undefined): boolean {
    if (this.#batches !== undefined) return this.#takeForBatch(this.#batches, fault?.text ?? line);
    if (fault !== undefined) return this.#refuse(fault.text, fault);
    return line !== '' && this.#takeForTask(line);
  }

  #takeForTask(line: string): boolean {
    const answer = parseAnswer(line);
    if (answer === undefined || 'code' in answer) return this.#refuse(line, answer);
    const assignment = this.#assignments.get(answer.uuid);
    if (assignment === undefined) {
      this.#setup.said(`answered for a task that it does not have, or twice: ${JSON.stringify(answer.uuid)}`);
      return false;
    }
    this.#assignments.delete(answer.uuid);
    this.#setup.answered(assignment, answer);
    return true;
  }

  #takeForBatch(batches: BatchReader, line: string): boolean {
    const oldest = oldestOf(this.#assignments);
    const isEcho = oldest?.task.line === line; // needs no parsing
    const answer = isEcho ? ECHO : batches.take(line);
    if (answer === undefined) {
      if (line !== '' && !batches.isGathering) this.#complain(line, undefined);
      return false;
    }
    if ('code' in answer) return this.#refuseBatch(line, answer);
    const found = isEcho ? oldest : batchOf(answer, this.#assignments.values());
    if (found instanceof Set) return this.#refuseUuids(found);
    if (found === undefined) return this.#ignoreAnswer();
    this.#take(found);
    this.#setup.answeredBatch(found, answer);
    return true;
  }

  /** Handles an answer whose uuids are of no batch that the worker has. */
  #refuseUuids(uuids: ReadonlySet<string>): boolean {
    const oldest = oldestOf(this.#assignments);
    if (oldest === undefined || this.#former.hasAny(uuids)) return this.#ignoreAnswer();
    const [uuid] = uuids;
    this.#fail(oldest, { message: `no task of the batch has the uuid ${JSON.stringify(uuid)}` });
    return true;
  }

  #ignoreAnswer(): false {
    this.#setup.said('answered for a batch that it does not have, or twice');
    return false;
  }

  /** Removes a task or batch that is answered. */
  #take({ task, batch }: Assignment): void {
    this.#assignments.delete(task.uuid);
    if (batch !== undefined) this.#former.add(batch);
  }

  /** Handles an invalid line. Returns whether it is the answer for a task, which fails. */
  #refuse(line: string, fault: RecordReject | undefined): boolean {
    const assignment = fault && ownerOf(line, fault, this.#assignments);
    if (fault === undefined || assignment === undefined) {
      this.#complain(line, fault);
      return false;
    }
    this.#fail(assignment, fault);
    return true;
  }

  /** Handles an invalid line. Returns whether it is the answer for a batch, whose tasks fail. */
  #refuseBatch(line: string, fault: InvalidAnswer): boolean {
    const assignment = batchOfInvalid(line, fault, this.#assignments.values());
    if (assignment === undefined) {
      // A worker that answers each task goes on after its first line failed the batch.
      if (this.#former.hasAny(uuidsIn(line))) return this.#ignoreAnswer();
      this.#complain(line, fault);
      return false;
    }
    this.#fail(assignment, fault);
    return true;
  }

  #fail(assignment: Assignment, fault: Pick<InvalidAnswer, 'message'>): void {
    this.#take(assignment);
    this.#setup.refused(assignment, fault.message);
  }

  #complain(line: string, fault: InvalidAnswer | undefined): void {
    const isText = fault === undefined || fault.code !== 'UTF8';
    this.#setup.said(
      isText ? `printed a line that is not an answer: ${line}` : `printed a line that is ${fault.message}`,
    );
  }
}
