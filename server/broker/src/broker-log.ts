/** Where a broker says what happened: into a file of bounded size, on standard error, or both. */
import { pino } from "pino";
import { LOG_LEVELS, LOG_SERIALIZERS, type Logger, type LogLevel } from "./base/logger.js";
import { LogFile } from "./log-file.js";

/** Where a broker's log goes, and how much of it. */
export interface BrokerLogOptions {
  /** Five files of 10 MB at most: this one, and older ones beside it with `.1` to `.4` behind. None if not given. */
  file?: string;
  /** From which level on the file gets it; `info` if not given. */
  level?: LogLevel | undefined;
  /** From which level on standard error gets it; nothing if not given, without a file errors. */
  aloud?: LogLevel;
}

/** A log until it is disposed; what is said later goes nowhere. */
export type BrokerLog = Logger & AsyncDisposable;

/** A log for {@link BrokerOptions.logger}; its file is made when there is something to say. */
export function openBrokerLog({ file: path, level = "info", aloud }: BrokerLogOptions = {}): BrokerLog {
  const options = { serializers: LOG_SERIALIZERS };
  if (path === undefined)
    return Object.assign(pino({ ...options, level: aloud ?? "error" }, pino.destination(2)), {
      async [Symbol.asyncDispose]() {},
    });
  const file = new LogFile(path);
  const streams = [
    { level, stream: file },
    ...(aloud === undefined ? [] : [{ level: aloud, stream: pino.destination(2) }]),
  ];
  const logger = pino({ ...options, level: lower(level, aloud) }, pino.multistream(streams));
  return Object.assign(logger, {
    async [Symbol.asyncDispose]() {
      // What ends later than its broker has nowhere to say so.
      logger.level = "silent";
      file[Symbol.dispose]();
    },
  });
}

/** pino asks this level first, and each stream's own then. */
const lower = (level: LogLevel, other: LogLevel = level): LogLevel =>
  LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(other) ? level : other;
