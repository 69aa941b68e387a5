export { type AdminServiceOptions, adminMethods } from './admin-service.ts';
export type { ClientDirectory, ConnectedClient } from './client-directory.ts';
export type { GroupDefaults } from './group-request.ts';
