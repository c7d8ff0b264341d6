/** What OHIF reads before it begins (window.config), and what it cannot do: say that access has ended, or do without WebGL. */
(() => {
  const { base, assets, study, ours, back, backWords, report, reportWords, ended } = document.currentScript.dataset;
  const root = `${base}/dicom-web`;
  const ASK_EVERY = 30_000; // milliseconds: a picture that is refused tells OHIF nothing

  // Without WebGL it shows nothing at all.
  if (!document.createElement('canvas').getContext('webgl2')) return location.replace(ours);

  try {
    localStorage.setItem('shownTours', '["basicViewerTour"]'); // who has two minutes takes no tour
  } catch {
    // a browser that keeps nothing gives the tour
  }

  const leave = () => location.replace(ended);

  async function ask() {
    const answer = await fetch(`${root}/studies?StudyInstanceUID=${study}&limit=1`, { credentials: 'same-origin', headers: { 'X-Idle': '1' } }).catch(() => null);
    if (!answer || answer.status >= 500) return; // a connection that is away comes back
    if (!answer.ok || !(await answer.json()).length) leave();
  }
  setInterval(ask, ASK_EVERY);

  function logo(React) {
    const link = (href, words) => React.createElement('a', { href, className: 'text-foreground px-2 text-sm underline', key: href }, words);
    return React.createElement('div', { className: 'flex items-center' }, [link(back, backWords), report && link(report, reportWords)]);
  }

  window.PUBLIC_URL = assets;
  window.browserImportFunction = (name) => import(name);
  window.config = {
    routerBasename: base,
    extensions: [],
    modes: [],
    showStudyList: false,
    investigationalUseDialog: { option: 'never' },
    whiteLabeling: { createLogoComponentFn: logo },
    showErrorDetails: 'production',
    maxNumberOfWebWorkers: 3,
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 10 },
    showWarningMessageForCrossOrigin: false,
    showCPUFallbackMessage: false,
    strictZSpacingForVolumeViewport: true,
    httpErrorHandler: ({ status }) => [401, 404, 410].includes(status) && leave(),
    defaultDataSourceName: 'lightbox',
    dataSources: [
      {
        namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
        sourceName: 'lightbox',
        configuration: {
          name: 'lightbox',
          friendlyName: 'Lightbox',
          qidoRoot: root,
          wadoRoot: root,
          wadoUriRoot: root,
          imageRendering: 'wadors',
          thumbnailRendering: 'thumbnail',
          thumbnailRequestStrategy: 'fetch',
          enableStudyLazyLoad: true,
          supportsFuzzyMatching: false,
          supportsWildcard: true,
          qidoSupportsIncludeField: true,
          supportsReject: false,
          dicomUploadEnabled: false,
          singlepart: 'bulkdata,video',
          omitQuotationForMultipartRequest: true,
          bulkDataURI: { enabled: true },
        },
      },
    ],
  };
})();
