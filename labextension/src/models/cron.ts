/** What the schedule form offers; the platform explains every cron expression itself. */

/** Cron expressions that people ask for most. */
export const PRESETS = {
  hour: '0 * * * *',
  day: '0 7 * * *',
  weekday: '0 7 * * 1-5',
  week: '0 7 * * 1'
} as const;

export type Preset = keyof typeof PRESETS | 'custom';

export const presetOf = (cron: string): Preset =>
  (Object.keys(PRESETS) as (keyof typeof PRESETS)[]).find(key => PRESETS[key] === cron) ?? 'custom';

/** Time zone of this browser. */
export const ownZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** All zones that this browser knows. */
export function zones(): readonly string[] {
  const known = (Intl as { supportedValuesOf?: (key: string) => string[] }).supportedValuesOf;
  return ['UTC', ...(known?.('timeZone') ?? [])];
}
