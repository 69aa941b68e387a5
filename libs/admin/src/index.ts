export { type AdminServiceOptions, adminMethods } from './admin-service.ts';
export type { ClientDirectory, ConnectedClient } from './client-directory.ts';
export { copiedGroupOf, copiedTopicOf } from './copied-settings.ts';
export { type Applied, applyDeclaration } from './declaration/apply-declaration.ts';
export { type Declaration, DeclarationError, readDeclaration } from './declaration/declaration.ts';
export type { GroupDefaults } from './group-request.ts';
