import type { ServiceManager } from '@jupyterlab/services';

import type { IKernels } from '../models/kernelsModel';

/** Kernels of this Jupyter server, with the notebooks that they belong to. */
export function makeKernels(services: ServiceManager.IManager): IKernels {
  return {
    list: async () => {
      await Promise.all([services.kernels.refreshRunning(), services.sessions.refreshRunning()]);
      const sessions = new Map(
        [...services.sessions.running()].map(session => [session.kernel?.id, session])
      );
      return [...services.kernels.running()].map(kernel => {
        const session = sessions.get(kernel.id);
        return {
          id: kernel.id,
          name: services.kernelspecs.specs?.kernelspecs[kernel.name]?.display_name ?? kernel.name,
          path: session?.path || session?.name || '',
          state: kernel.execution_state ?? '',
          lastActivity: kernel.last_activity ?? ''
        };
      });
    },
    shutDown: async id => {
      const session = [...services.sessions.running()].find(item => item.kernel?.id === id);
      await (session ? services.sessions.shutdown(session.id) : services.kernels.shutdown(id));
    }
  };
}
