import type { PartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import { text } from '../models/jobState';
import type { IShown, Output } from '../models/jobState';
import type { Terminal } from '../models/terminal';
import { Button } from './basics';
import { useEnv } from './env';
import { bytes, count } from './format';
import { LongText } from './longText';
import { HostOutputView } from './mimeOutput';
import { useWidgets } from './widgetStates';

const TEXT_SHOWN = 100_000;
const MIME_SHOWN = 1_000_000;
const OUTPUTS_SHOWN = 50;
const WIDGET = 'application/vnd.jupyter.widget-view+json';

const JobWidget = React.lazy(() => import('./jobWidgets'));

/** What a cell put out, in order. */
export function Outputs(props: { outputs: readonly IShown[] }): React.ReactElement {
  const { trans } = useEnv();
  const [all, setAll] = React.useState(false);
  const left = all ? 0 : props.outputs.length - OUTPUTS_SHOWN;
  return (
    <>
      {props.outputs.slice(0, left > 0 ? OUTPUTS_SHOWN : undefined).map((shown, i) => (
        <OutputView key={i} shown={shown} revision={shown.revision} />
      ))}
      {left > 0 ? (
        <div className="jp-dlsys-More">
          <Button
            label={trans.__('Show %1 more outputs', count(left))}
            onClick={() => setAll(true)}
          />
        </div>
      ) : null}
    </>
  );
}

const OutputView = React.memo((props: { shown: IShown; revision: number }): React.ReactElement => {
  const { output, text: stream } = props.shown;
  if (stream) {
    return <StreamView stream={stream} name={text(output['name'])} revision={props.revision} />;
  }
  const data = output['data'] as PartialJSONObject | undefined;
  const widget = data?.[WIDGET] as { model_id?: string } | undefined;
  return widget?.model_id ? (
    <WidgetOutput id={widget.model_id} output={output} />
  ) : (
    <DataOutput output={output} />
  );
});

/** A widget by its last state; before that is known, what its output says of itself. */
function WidgetOutput(props: { id: string; output: Output }): React.ReactElement {
  const known = useWidgets().has(props.id);
  const plain = React.useMemo(() => {
    const data = { ...(props.output['data'] as PartialJSONObject) };
    delete data[WIDGET];
    return { ...props.output, data };
  }, [props.output]);
  return known ? (
    <React.Suspense fallback={null}>
      <JobWidget id={props.id} />
    </React.Suspense>
  ) : (
    <DataOutput output={plain} />
  );
}

function DataOutput(props: { output: Output }): React.ReactElement {
  const { trans } = useEnv();
  const [asked, setAsked] = React.useState(false);
  const data = (props.output['data'] ?? {}) as Record<string, unknown>;
  const markup = text(data['text/html']) || text(data['text/markdown']);
  if (asked || markup.length <= MIME_SHOWN) {
    return <HostOutputView output={props.output} />;
  }
  return (
    <div className="jp-dlsys-More">
      <span>{trans.__('An output of %1 is not drawn by itself.', bytes(markup.length))}</span>
      <Button label={trans.__('Show it')} onClick={() => setAsked(true)} />
    </div>
  );
}

/** Text: drawn by the host, of a long one the end; all of it when asked for. */
function StreamView(props: {
  stream: Terminal;
  name: string;
  revision: number;
}): React.ReactElement {
  const { trans } = useEnv();
  const [all, setAll] = React.useState(false);
  const { stream, name, revision } = props;
  const long = stream.length > TEXT_SHOWN;
  const output = React.useMemo<Output>(
    () => ({ output_type: 'stream', name, text: stream.tail(TEXT_SHOWN) }),
    [stream, name, revision]
  );
  if (!long) {
    return <HostOutputView output={output} />;
  }
  return (
    <>
      <div className="jp-dlsys-More">
        <span>
          {all
            ? trans.__('%1 of text', bytes(stream.length))
            : trans.__('%1 of text; this is its end.', bytes(stream.length))}
        </span>
        <Button
          label={all ? trans.__('Show the end only') : trans.__('Show all')}
          onClick={() => setAll(!all)}
        />
      </div>
      {all ? (
        <LongText text={stream.text} error={name === 'stderr'} />
      ) : (
        <HostOutputView output={output} />
      )}
    </>
  );
}
