import { describeRpcEngine } from '../contract/suite.ts';
import { createGrpcJsClient } from './client.ts';
import { startGrpcJsServer } from './server.ts';

describeRpcEngine('grpc-js', { startServer: startGrpcJsServer, createClient: createGrpcJsClient });
