Åimport type { Server } from 'node:http';

export type Port = 3000 | 4010;
export interface Options { port: 3000; url: 'http://localhost:4010'; server: Server }
export enum Known { WEB_PORT = 3000 }
export const fallback = { port: 4010 } satisfies { port: number };
