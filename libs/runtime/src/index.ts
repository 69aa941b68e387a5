export type { Component } from './component.ts';
export type { LogFields, Logger } from './logger.ts';
