import { UnavailableError } from '../common/errors';

/** What operators ask for and PostgreSQL does not tell, or not in time. */
export function statisticsUnavailable(): UnavailableError {
  return new UnavailableError('statistics_unavailable', "The database's statistics cannot be read. Try again.");
}

/** There is no monitor login, so nobody could read them. */
export function statisticsNotConfigured(): UnavailableError {
  const perhapsLater = 60;
  return new UnavailableError(
    'statistics_unavailable',
    'Statistics need the monitor login: set POSTGRES_MONITOR_URL.',
    perhapsLater,
  );
}
