import { describeRpcEngine } from '../contract/suite.ts';
import { startGrpcJsServer } from '../grpc-js/server.ts';
import { createNativeClient } from './client.ts';
import { startNativeServer } from './server.ts';

describeRpcEngine('native client, grpc-js server', {
  startServer: startGrpcJsServer,
  createClient: createNativeClient,
});

describeRpcEngine('native client, native server', {
  startServer: startNativeServer,
  createClient: createNativeClient,
});
