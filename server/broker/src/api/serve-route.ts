/** Serves a route of the API's tables: the table says path, schemas and description, the broker what to do. */
import {
  type ApiRoute,
  type ControlRoute,
  type RouteAnswer,
  type RouteRequest,
  wireErrorSchema,
} from "@centroid/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What the tables say of the route. */
    route?: ControlRoute;
  }
}

const errorSchema = z.object({ error: wireErrorSchema });
/** What every route may answer instead. */
const failureResponses = Object.fromEntries(
  [400, 401, 403, 404, 409, 429, 500, 503].map((status) => [status, errorSchema]),
);

export function serveRoute<R extends ApiRoute>(
  app: FastifyInstance,
  route: R,
  handle: (request: RouteRequest<R>, raw: FastifyRequest) => Promise<RouteAnswer<R>>,
): void {
  const { method, path, summary, params, query, body, answer, maxBodyBytes } = route;
  app.route({
    method,
    url: path,
    config: { route },
    ...(maxBodyBytes !== undefined && { bodyLimit: maxBodyBytes }),
    schema: {
      summary,
      ...(params !== undefined && { params }),
      ...(query !== undefined && { querystring: query }),
      ...(body !== undefined && { body }),
      response: { 200: answer, ...failureResponses },
    },
    handler: (request) => {
      const { params, query, body } = request;
      return handle({ params, query, body } as RouteRequest<R>, request);
    },
  });
}
