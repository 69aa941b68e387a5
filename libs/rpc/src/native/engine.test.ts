import { describeRpcEngine } from '../contract/suite.ts';
import { createGrpcJsClient } from '../grpc-js/client.ts';
import { startNativeServer } from './server.ts';

describeRpcEngine('native server, grpc-js client', {
  startServer: startNativeServer,
  createClient: createGrpcJsClient,
});
