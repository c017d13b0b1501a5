import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import type { PartialJSONObject } from '@lumino/coreutils';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { text } from '../models/jobState';
import type { Output } from '../models/jobState';
import { useEnv } from './env';

type HostOutput = Parameters<OutputAreaModel['add']>[0];

/** One nbformat output, rendered by the host's own output area, never trusted. */
export function HostOutputView(props: { output: Output }): React.ReactElement {
  const { rendermime } = useEnv();
  const ref = React.useRef<HTMLDivElement>(null);
  const model = React.useRef<OutputAreaModel | null>(null);
  const wanted = React.useRef(props.output);
  const drawn = React.useRef<Output | null>(null);
  wanted.current = props.output;
  React.useLayoutEffect(() => {
    const host = ref.current;
    if (!host || !rendermime) {
      return undefined;
    }
    const made = new OutputAreaModel({ trusted: false });
    made.add(wanted.current as HostOutput);
    drawn.current = wanted.current;
    const area = new SimplifiedOutputArea({ model: made, rendermime });
    attach(area, host);
    model.current = made;
    return () => {
      model.current = null;
      detach(area);
      area.dispose();
      made.dispose();
    };
  }, [rendermime]);
  React.useLayoutEffect(() => {
    if (model.current?.length && drawn.current !== props.output) {
      drawn.current = props.output;
      model.current.set(0, props.output as HostOutput);
    }
  }, [props.output]);
  return <div ref={ref} className="jp-dlsys-Output" />;
}

/** A MIME bundle that is not an output: a cell's source, a widget's text. */
export function MimeBundle(props: {
  data: PartialJSONObject;
  className?: string;
}): React.ReactElement {
  const { rendermime } = useEnv();
  const ref = React.useRef<HTMLDivElement>(null);
  React.useLayoutEffect(() => {
    const host = ref.current;
    const mime = rendermime?.preferredMimeType(props.data, 'ensure');
    if (!host || !rendermime || !mime) {
      if (host) {
        host.textContent = text(props.data['text/plain']) || Object.keys(props.data).join(', ');
      }
      return undefined;
    }
    const renderer = rendermime.createRenderer(mime);
    void renderer
      .renderModel(rendermime.createModel({ data: props.data, trusted: false }))
      .then(() => {
        if (!renderer.isDisposed && host.isConnected) {
          // swap in one step: what grows does not flicker
          host.replaceChildren();
          attach(renderer, host);
        }
      });
    return () => {
      detach(renderer);
      renderer.dispose();
    };
  }, [props.data, rendermime]);
  return <div ref={ref} className={props.className} />;
}

/** Put a widget into a node of ours; also where the node is not in the document. */
function attach(widget: Widget, host: HTMLElement): void {
  MessageLoop.sendMessage(widget, Widget.Msg.BeforeAttach);
  host.appendChild(widget.node);
  MessageLoop.sendMessage(widget, Widget.Msg.AfterAttach);
}

/** Told, not done: the node stays on show until its successor is there. */
function detach(widget: Widget): void {
  if (widget.isAttached) {
    MessageLoop.sendMessage(widget, Widget.Msg.BeforeDetach);
    MessageLoop.sendMessage(widget, Widget.Msg.AfterDetach);
  }
}
