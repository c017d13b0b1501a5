import * as React from 'react';

import type { WidgetState } from '../models/jobState';

export type WidgetStates = ReadonlyMap<string, WidgetState | null>;

/** Last states of a job's widgets; a new map after each change, so that what uses it is redrawn. */
export const WidgetContext = React.createContext<WidgetStates>(new Map());

export const useWidgets = (): WidgetStates => React.useContext(WidgetContext);
