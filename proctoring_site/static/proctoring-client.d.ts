/** The types of proctoring-client.js, for TypeScript. What each does is said there, and in docs/client.md. */

export type State = "running" | "paused" | "ended" | "terminated" | "expired";
export type StopReason = "ended" | "token" | "session_closed" | "not_found" | "forgotten";

/** What staff ask. A newer server may know more actions: throw at one that you do not. */
export interface Command {
  id: string;
  action: "pause" | "resume" | "terminate" | "message";
  message: string | null;
  reason_code: string | null;
}

export interface ClientOptions {
  baseUrl?: string;
  source?: string;
  /** Whatever it answers is waited for; then the next heartbeat confirms. */
  onCommand?: ((command: Command) => unknown) | null;
  upload?: (blob: Blob, to: UploadTarget) => Promise<Answer>;
  gatherMs?: number;
  firstPauseMs?: number;
  longestPauseMs?: number;
}

/** What of the answer to `POST /sessions/{id}/token` `resume` needs. */
export interface RenewedSession {
  id: string;
  token: string;
  token_expires_at: string;
}

/** The answer to `POST /sessions`, or to `POST /sessions/{id}/token`; it may have more. */
export interface StartedSession extends RenewedSession {
  candidate_name: string;
  start_time: string;
}

export interface EventDetails {
  message?: string | null;
  timestamp?: string | Date;
  duration_s?: number | null;
  confidence?: number | null;
  data?: object | null;
}

/** true: works, false: does not, null: not used in this exam. */
export interface Signals {
  camera?: boolean | null;
  microphone?: boolean | null;
  screen?: boolean | null;
  /** Whether what these see is being recorded. */
  recording?: boolean | null;
  detectors?: string[];
}

export interface UploadOptions {
  kind?: "camera" | "screen";
  filename?: string;
  startOffsetS?: number | null;
  /** Told 0 to 1. */
  onProgress?: (part: number) => void;
  signal?: AbortSignal;
}

export interface UploadTarget {
  url: string;
  token: string;
  metadata: Record<string, string | number | null>;
  uploadId: string | null;
  remember: (uploadId: string) => Promise<void>;
  onProgress: (part: number) => void;
  onArrived: () => void;
  signal?: AbortSignal;
}

/** Status 0: no answer of the server's. */
export interface Answer {
  status: number;
  body: any;
  retryAfterS: number;
  strangerStatus?: number;
}

export interface ClientEvents {
  connection: CustomEvent<{ isConnected: boolean; reason: "no_answer" | "try_later" | "stranger" | null }>;
  waiting: CustomEvent<{ count: number }>;
  state: CustomEvent<{ state: State }>;
  rejected: CustomEvent<{
    event: { id: string; event_type: string; [field: string]: unknown };
    code: string;
    detail: string;
    fields?: Record<string, string[]>;
  }>;
  stopped: CustomEvent<{ reason: StopReason; dropped: number }>;
  warning: CustomEvent<{ reason: "memory_only" }>;
}

export class ProctoringError extends Error {
  constructor(answer: Answer);
  readonly status: number;
  readonly code: string | null;
  readonly fields: Record<string, string[]>;
  readonly retryAfterS: number;
}

export class ProctoringClient extends EventTarget {
  constructor(options?: ClientOptions);
  static resume(options?: ClientOptions & { renewed?: RenewedSession | null }): Promise<ProctoringClient | null>;

  readonly waiting: number;
  readonly isConnected: boolean;
  readonly stopped: StopReason | null;
  get id(): string | null;
  get state(): State | null;
  get startedAt(): number | null;
  get keptUntil(): number | null;
  get clockAheadMs(): number | null;
  get candidateName(): string | null;
  get isEnding(): boolean;

  start(candidateName: string): Promise<StartedSession>;
  adopt(session: StartedSession): Promise<void>;
  log(eventType: string, details?: EventDetails): Promise<string | undefined>;
  batch(told: ({ event_type: string } & EventDetails)[]): Promise<string[]>;
  heartbeat(signals?: () => Signals): Promise<void>;
  upload(blob: Blob, options?: UploadOptions): Promise<{ id: string }>;
  end(options?: { keep?: boolean }): Promise<StopReason>;
  forget(): Promise<void>;
  useToken(token: string, tokenExpiresAt?: string): Promise<void>;
  secondsIn(ms?: number, clockAheadMs?: number | null): number;

  addEventListener<Name extends keyof ClientEvents>(
    type: Name,
    listener: (event: ClientEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof ClientEvents>(
    type: Name,
    listener: (event: ClientEvents[Name]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
