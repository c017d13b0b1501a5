import * as React from 'react';

import { AdminView } from '../components/adminView';
import type { IPart } from '../components/adminView';
import { AuditView } from '../components/auditView';
import { AdminModel } from '../models/adminModel';
import { AuditModel } from '../models/auditModel';
import type { FileFormat } from '../models/auditModel';
import type { IContext } from './context';
import { saveAs } from './download';
import { TabView } from './tabView';

interface IPartModel {
  loaded: boolean;
  problem: IPart['problem'];
  open(): Promise<void>;
}

/** Projects, use, tokens and the log: what this person may administer, a part a model. */
export class AdminTab extends TabView<AdminModel> {
  constructor(
    context: IContext,
    private _initial = ''
  ) {
    super(context, new AdminModel(context.session));
    this._audit = this.follow(new AuditModel(context.session));
    this._audit.look(() => this.isVisible && this._shown === 'audit');
  }

  /** Show one of the parts. */
  showPart(part: string): void {
    this._initial = part;
    this._asked++;
    this.update();
  }

  override dispose(): void {
    this._audit.dispose();
    super.dispose();
  }

  protected content(): React.ReactElement | null {
    return this.model.loaded ? (
      <AdminView key={this._asked} parts={this._parts()} initial={this._initial} />
    ) : null;
  }

  private _parts(): IPart[] {
    const { trans } = this.context;
    return [this._part('audit', trans.__('Audit'), this._audit, () => this._drawAudit())];
  }

  private _part(id: string, label: string, model: IPartModel, render: IPart['render']): IPart {
    const onRetry = (): void => void model.open();
    const onShow = (): void => {
      this._shown = id;
      void model.open();
    };
    return { id, label, ready: model.loaded, problem: model.problem, onShow, onRetry, render };
  }

  private _drawAudit(): React.ReactElement {
    const { _audit: audit, model } = this;
    return (
      <AuditView
        question={audit.question}
        entries={audit.entries}
        busy={audit.busy}
        page={audit.page}
        more={audit.more}
        shown={audit.shown}
        projects={model.managed}
        mayVerify={model.administrator}
        report={audit.report}
        onAsk={change => audit.ask(change)}
        onShow={seq => audit.show(seq)}
        onNewer={() => void audit.newer()}
        onOlder={() => void audit.older()}
        onVerify={() => audit.verify()}
        onExport={format => this._export(format)}
      />
    );
  }

  private async _export(format: FileFormat): Promise<void> {
    saveAs(await this._audit.export(format), `audit.${format}`);
  }

  private _shown = '';
  private _asked = 0;
  private readonly _audit: AuditModel;
}
