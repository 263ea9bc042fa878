/** Seconds: what OpenTelemetry recommends for `db.client.operation.duration` and the times of connections. */
export const DATABASE_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** Seconds: what OpenTelemetry recommends for `http.server.request.duration`. */
export const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
