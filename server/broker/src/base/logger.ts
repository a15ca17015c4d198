/** The part of pino that the broker uses. */
import { type LoggerOptions, type Logger as Pino, stdSerializers } from "pino";

export type Logger = Pick<Pino, "debug" | "info" | "warn" | "error">;

/** From everything to errors alone. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly (keyof Logger)[];
export type LogLevel = (typeof LOG_LEVELS)[number];

/** An error under `cause` would be an empty object otherwise. */
export const LOG_SERIALIZERS: NonNullable<LoggerOptions["serializers"]> = { cause: stdSerializers.err };
