import * as React from 'react';

import { ScheduleView } from '../components/scheduleView';
import { ScheduleModel } from '../models/scheduleModel';
import type { IContext } from './context';
import { TabView } from './tabView';

export class ScheduleTab extends TabView<ScheduleModel> {
  constructor(context: IContext, id: string) {
    super(context, new ScheduleModel(context.session, id));
    this.model.changed.connect(this._onChanged, this);
  }

  protected content(): React.ReactElement | null {
    const { model } = this;
    return model.schedule ? (
      <ScheduleView
        schedule={model.schedule}
        history={model.history}
        onExplain={(cron, timezone) => model.explain(cron, timezone)}
        onPause={paused => model.pause(paused)}
        onRun={() => model.run()}
        onUpdate={change => model.update(change)}
        onRemove={async () => {
          await model.remove();
          this.leave();
        }}
      />
    ) : null;
  }

  private _onChanged(): void {
    const { schedule } = this.model;
    const title = this.parent?.title;
    if (schedule && title) {
      title.label = schedule.name || schedule.source;
    }
  }
}
