import type { PartialJSONObject } from '@lumino/coreutils';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { text } from '../models/jobState';
import type { Output } from '../models/jobState';
import { useEnv } from './env';

const STREAMS: Record<string, string> = {
  stdout: 'application/vnd.jupyter.stdout',
  stderr: 'application/vnd.jupyter.stderr'
};

/** One nbformat output, rendered by the host's MIME renderers, untrusted. */
export function OutputView(props: { output: Output }): React.ReactElement {
  const { output } = props;
  const bundle = React.useMemo(() => bundleOf(output), [output]);
  const error = output.output_type === 'error' || output['name'] === 'stderr';
  return (
    <MimeBundle
      data={bundle}
      metadata={output['metadata'] as PartialJSONObject | undefined}
      className={`jp-dlsys-Output${error ? ' jp-mod-stderr' : ''}`}
    />
  );
}

function bundleOf(output: Output): PartialJSONObject {
  if (output.output_type === 'stream') {
    return {
      [STREAMS[text(output['name'])] ?? 'application/vnd.jupyter.stdout']: text(output['text'])
    };
  }
  if (output.output_type === 'error') {
    const traceback = output['traceback'];
    const lines = Array.isArray(traceback) && traceback.length ? traceback.join('\n') : '';
    return {
      'application/vnd.jupyter.stderr':
        lines || `${text(output['ename'])}: ${text(output['evalue'])}`
    };
  }
  return (output['data'] as PartialJSONObject | undefined) ?? {};
}

export function MimeBundle(props: {
  data: PartialJSONObject;
  metadata?: PartialJSONObject;
  className?: string;
}): React.ReactElement {
  const { rendermime } = useEnv();
  const ref = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    const host = ref.current;
    const mime = rendermime?.preferredMimeType(props.data, 'ensure');
    if (!host || !rendermime || !mime) {
      if (host) {
        host.textContent = text(props.data['text/plain']) || Object.keys(props.data).join(', ');
      }
      return undefined;
    }
    const renderer = rendermime.createRenderer(mime);
    const options = { data: props.data, metadata: props.metadata ?? {}, trusted: false };
    let attached = false;
    void renderer.renderModel(rendermime.createModel(options)).then(() => {
      if (!renderer.isDisposed && host.isConnected) {
        // swap in one step: a growing output does not flicker
        host.replaceChildren();
        MessageLoop.sendMessage(renderer, Widget.Msg.BeforeAttach);
        host.appendChild(renderer.node);
        MessageLoop.sendMessage(renderer, Widget.Msg.AfterAttach);
        attached = true;
      }
    });
    return () => {
      if (attached) {
        // told, not done: the node stays on show until its successor is there
        MessageLoop.sendMessage(renderer, Widget.Msg.BeforeDetach);
        MessageLoop.sendMessage(renderer, Widget.Msg.AfterDetach);
      }
      renderer.dispose();
    };
  }, [props.data, props.metadata, rendermime]);
  return <div ref={ref} className={props.className} />;
}
