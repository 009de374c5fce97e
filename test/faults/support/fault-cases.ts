import { faultAnswers } from './fault-answers.ts';
import { answer, whole } from './fault-bytes.ts';
import { alike, type FaultCase } from './fault-case.ts';
import type { Places } from './fault-servers.ts';
import { trackerAnswers } from './tracker-answers.ts';

export function faultCases(places: Places): FaultCase[] {
  return [...faultAnswers(), ...trackerAnswers(), ...redirects(places), ...elsewhere(places)];
}

function moved(location: string, status = '302 There'): Buffer {
  return whole(`location: ${location}\n`, 'moved', status);
}

/** Redirects to a place that depends on the query. */
function queried(place: string): FaultCase['answer'] {
  return (socket, path) =>
    void socket.write(path.endsWith(place) ? whole('content-type: text/plain\n', 'again') : moved(place));
}

function redirects({ other }: Places): FaultCase[] {
  const posts = { method: 'post', data: 'a=1' };
  const to = (path: string, status?: string): Pick<FaultCase, 'answer' | 'result'> => ({
    answer: moved(other + path, status),
    result: { url: other + path, text: `this is ${path}` },
  });
  return [
    ...alike(
      { code: 'REDIRECTS', again: false },
      {
        'redirects to itself': (socket, path) => void socket.write(moved(path)),
        'redirects ever deeper': (socket, path) => void socket.write(moved(`${path}/x`)),
        'redirects there and back': (socket, path) =>
          void socket.write(moved(path.endsWith('/x') ? path.slice(0, -2) : `${path}/x`)),
        'redirects to a file': moved('file:///etc/passwd'),
        'redirects to a script': moved('javascript:alert(1)'),
        'redirects to no url': moved('http://jo:hush-place@:x/\xc2\x9b\xe2\x80\xae'),
      },
    ),
    { name: 'redirects to another origin', ...to('/a') },
    { name: 'redirects by //host', ...to('/b'), answer: moved(`${other.slice('http:'.length)}/b`) },
    { name: 'redirects a POST to another origin', record: posts, ...to('/c', '307 There') },
    { name: 'redirects from https to http', isSecure: true, ...to('/d') },
    {
      name: 'redirects a POST from https to http',
      isSecure: true,
      record: posts,
      answer: moved(`${other}/never`, '308 There'),
      code: 'REDIRECTS',
      again: false,
    },
    {
      name: 'redirects by a path alone',
      ...to('/f'),
      answer: moved('/x/../good/f'),
      result: { text: 'this is /good/f' },
    },
    { name: 'redirects by a query alone', answer: queried('?again'), result: { text: 'again' } },
    {
      name: 'redirects with raw UTF-8',
      ...to('/g'),
      answer: moved(`${other}/gr\xc3\xbcn`),
      result: { text: 'this is /gr%C3%BCn' },
    },
    {
      name: 'redirects with a space',
      ...to('/h'),
      answer: moved(`${other}/a b`),
      result: { text: 'this is /a%20b' },
    },
    { name: 'redirects with a fragment', ...to('/i'), answer: moved(`${other}/i#part`) },
    {
      name: 'redirects by backslashes',
      ...to('/j'),
      answer: moved(`${other.replace('http://', '\\\\')}\\j`),
    },
    {
      name: 'redirects with a scheme in capitals',
      ...to('/k'),
      answer: moved(`${other.replace('http', 'HTTP')}/k`),
    },
    {
      name: 'says its place twice',
      ...to('/l'),
      answer: whole(`location: ${other}/l\nlocation: ${other}/l\n`, '', '302 There'),
    },
    {
      name: 'redirects before its body ends',
      ...to('/m'),
      answer: answer(`location: ${other}/m\ncontent-length: 100\n`, 'half', '302 There'),
    },
    ...alike(
      { code: 'REDIRECTS', again: false },
      {
        'redirects to two places': whole(`location: ${other}/never\nlocation: ${other}/n\n`, '', '302 There'),
        'redirects to mail': moved('mailto:a@example.com'),
        'redirects to data': moved('data:text/plain,hello'),
        'redirects to nothing': moved(''),
      },
    ),
    { name: 'redirects to a closed port', answer: moved('http://127.0.0.1:1/'), code: 'CONNECTION' },
    { name: 'redirects to no host', answer: moved('http://nowhere.invalid/'), code: 'CONNECTION' },
    {
      name: 'redirects with a user and password',
      ...to('/e'),
      answer: moved(`${other.replace('//', '//jo:hush-place@')}/e`),
    },
  ];
}

function elsewhere(places: Places): FaultCase[] {
  const overTls = (origin: string): string => origin.replace('http:', 'https:');
  const untrusted = { code: 'TLS', again: false };
  const hangs = { code: 'TIMEOUT', again: true, record: { timeout: 1 } };
  const fails = { code: 'CONNECTION', again: true };
  const { ipv6 } = places;
  const only6 = { name: 'has IPv6 alone', url: `${ipv6}/good/6`, result: { text: 'this is /good/6' } };
  return [
    { name: 'has a self-signed certificate', url: `${places.selfSigned}/good/x`, ...untrusted },
    { name: 'has a certificate that has expired', url: `${places.expired}/good/x`, ...untrusted },
    { name: 'has a certificate of another host', url: `${places.elsewhere}/good/x`, ...untrusted },
    { name: 'speaks no TLS', url: `${overTls(places.early)}/good/x`, ...untrusted },
    { name: 'says nothing in the handshake', url: `${overTls(places.mute)}/`, ...hangs },
    { name: 'takes connections and says nothing', url: `${places.mute}/`, ...hangs },
    { name: 'answers before it is asked', url: `${places.early}/good/x`, result: { text: 'early' } },
    { name: 'closes what it promised to keep', url: `${places.dying}/x`, result: { text: 'this is /x' } },
    { name: 'is not there', url: `${places.closed}/`, ...fails },
    { name: 'has no address', url: 'http://nowhere.invalid/', ...fails },
    ...(ipv6 === undefined ? [] : [only6]),
  ];
}
