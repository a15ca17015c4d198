/** The part of pino that the broker uses. */
import { type LoggerOptions, type Logger as Pino, stdSerializers } from "pino";

export type Logger = Pick<Pino, "debug" | "info" | "warn" | "error">;

/** An error under `cause` would be an empty object otherwise. */
export const LOG_SERIALIZERS: NonNullable<LoggerOptions["serializers"]> = { cause: stdSerializers.err };
