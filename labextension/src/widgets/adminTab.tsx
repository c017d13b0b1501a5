import * as React from 'react';

import type { TokenScope } from '../api/types';
import { AdminView } from '../components/adminView';
import type { IPart } from '../components/adminView';
import { AuditView } from '../components/auditView';
import { ProjectsView } from '../components/projectsView';
import { QuotasView } from '../components/quotasView';
import { ProjectTokens } from '../components/projectTokens';
import { AdminModel } from '../models/adminModel';
import { AuditModel } from '../models/auditModel';
import type { FileFormat } from '../models/auditModel';
import { QuotasModel } from '../models/quotasModel';
import { TokensModel } from '../models/tokensModel';
import type { IContext } from './context';
import { saveAs } from './download';
import { TabView } from './tabView';

interface IPartModel {
  loaded: boolean;
  problem: IPart['problem'];
  open(): Promise<void>;
}

/** Projects, use, tokens and the log: what this person may see and change of it. */
export class AdminTab extends TabView<AdminModel> {
  constructor(
    context: IContext,
    private _initial = ''
  ) {
    super(context, new AdminModel(context.session));
    const { session } = context;
    this._quotas = this.follow(new QuotasModel(session));
    this._tokens = this.follow(new TokensModel(session));
    this._audit = this.follow(new AuditModel(session));
    this._quotas.look(() => this.isVisible && this._shown === 'quotas');
    this._tokens.look(() => this.isVisible && this._shown === 'tokens');
    this._audit.look(() => this.isVisible && this._shown === 'audit');
  }

  /** Show one of the parts. */
  showPart(part: string): void {
    this._initial = part;
    this._asked++;
    this.update();
  }

  override dispose(): void {
    [this._quotas, this._tokens, this._audit].forEach(model => model.dispose());
    super.dispose();
  }

  protected override get ofProject(): boolean {
    return false;
  }

  protected content(): React.ReactElement | null {
    return this.model.loaded ? (
      <AdminView key={this._asked} parts={this._parts()} initial={this._initial} />
    ) : null;
  }

  private _parts(): IPart[] {
    const { trans } = this.context;
    const { model } = this;
    const manages = model.administrator || model.managed.length > 0;
    const quotas = this._part('quotas', trans.__('Quotas and use'), this._quotas, () =>
      this._drawQuotas()
    );
    const tokens = this._part('tokens', trans.__('Tokens'), this._tokens, () => this._drawTokens());
    if (!manages) {
      return [quotas, tokens];
    }
    const audit = this._part('audit', trans.__('Audit'), this._audit, () => this._drawAudit());
    const projects = this._part('projects', trans.__('Projects'), model, () =>
      this._drawProjects()
    );
    return [...(model.team ? [projects] : []), quotas, tokens, audit];
  }

  private _part(id: string, label: string, model: IPartModel, render: IPart['render']): IPart {
    const onRetry = (): void => void model.open();
    const onShow = (): void => {
      this._shown = id;
      void model.open();
    };
    return { id, label, ready: model.loaded, problem: model.problem, onShow, onRetry, render };
  }

  private _drawProjects(): React.ReactElement {
    const { model } = this;
    return (
      <ProjectsView
        projects={model.projects}
        administrator={model.administrator}
        onCreate={request => model.create(request)}
        onMembers={project => this.context.open({ kind: 'members', project })}
      />
    );
  }

  private _drawQuotas(): React.ReactElement {
    const { _quotas: quotas, model } = this;
    return (
      <QuotasView
        quotas={quotas.quotas}
        user={quotas.user}
        administrator={model.administrator}
        before={quotas.before}
        onSet={(quota, limits) => quotas.set(quota, limits)}
        onUnset={quota => quotas.unset(quota)}
        onUndo={() => quotas.undo()}
      />
    );
  }

  private _drawTokens(): React.ReactElement {
    const { _tokens: tokens, model } = this;
    const project = model.projects.find(({ name }) => name === tokens.project);
    return (
      <ProjectTokens
        project={tokens.project}
        projects={model.projects}
        busy={tokens.busy}
        tokens={tokens.tokens}
        endpoints={tokens.endpoints}
        scopes={(project?.rights ?? []) as TokenScope[]}
        onProject={name => void tokens.choose(name)}
        onIssue={request => tokens.issue(request)}
        onRevoke={id => tokens.revoke(id)}
      />
    );
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
  private readonly _quotas: QuotasModel;
  private readonly _tokens: TokensModel;
  private readonly _audit: AuditModel;
}
