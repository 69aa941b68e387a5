/** RocketMQ's keys that a broker accepts and that change nothing here, by the reason. */
const KEYS_BY_REASON: readonly (readonly [reason: string, keys: string])[] = [
  [
    'requests are not handled by thread pools',
    `sendMessageThreadPoolNums putMessageFutureThreadPoolNums pullMessageThreadPoolNums litePullMessageThreadPoolNums
     ackMessageThreadPoolNums processReplyMessageThreadPoolNums queryMessageThreadPoolNums adminBrokerThreadPoolNums
     clientManageThreadPoolNums consumerManageThreadPoolNums loadBalanceProcessorThreadPoolNums heartbeatThreadPoolNums
     recoverThreadPoolNums endTransactionThreadPoolNums sendThreadPoolQueueCapacity putThreadPoolQueueCapacity
     pullThreadPoolQueueCapacity litePullThreadPoolQueueCapacity ackThreadPoolQueueCapacity replyThreadPoolQueueCapacity
     queryThreadPoolQueueCapacity clientManagerThreadPoolQueueCapacity consumerManagerThreadPoolQueueCapacity
     heartbeatThreadPoolQueueCapacity endTransactionPoolQueueCapacity adminBrokerThreadPoolQueueCapacity
     loadBalanceThreadPoolQueueCapacity brokerFastFailureEnable waitTimeMillsInSendQueue waitTimeMillsInPullQueue
     waitTimeMillsInLitePullQueue waitTimeMillsInHeartbeatQueue waitTimeMillsInTransactionQueue waitTimeMillsInAckQueue
     osPageCacheBusyTimeOutMills useReentrantLockWhenPutMessage asyncSendEnable`,
  ],
  [
    'there is no Netty',
    `serverWorkerThreads serverCallbackExecutorThreads serverSelectorThreads serverOnewaySemaphoreValue
     serverAsyncSemaphoreValue serverChannelMaxIdleTimeSeconds serverSocketSndBufSize serverSocketRcvBufSize
     serverSocketBacklog serverPooledByteBufAllocatorEnable useEpollNativeSelector serverNettyWorkerGroupEnable
     serverShutdownGracefully shutdownWaitTimeSeconds writeBufferHighWaterMark writeBufferLowWaterMark`,
  ],
  [
    'the log is one file family under storePathRootDir, written and flushed in batches; views are kept in memory and snapshots',
    `storePathDLedgerCommitLog storePathEpochFile storePathBrokerIdentity readOnlyCommitLogStorePaths
     mappedFileSizeConsumeQueue mapedFileSizeConsumeQueue mappedFileSizeConsumeQueueExt mapedFileSizeCommitLog
     enableConsumeQueueExt bitMapLengthConsumeQueueExt mappedFileSizeTimerLog flushCommitLogLeastPages
     flushCommitLogThoroughInterval commitCommitLogLeastPages commitCommitLogThoroughInterval commitIntervalCommitLog
     flushCommitLogTimed flushIntervalConsumeQueue flushConsumeQueueLeastPages flushConsumeQueueThoroughInterval
     flushLeastPagesWhenWarmMapedFile warmMapedFileEnable transientStorePoolEnable transientStorePoolSize
     fastFailIfNoBufferInStorePool maxTransferBytesOnMessageInMemory
     maxTransferCountOnMessageInMemory maxTransferBytesOnMessageInDisk maxTransferCountOnMessageInDisk transferMsgByHeap
     putMsgIndexHightWater syncFlushTimeout putMessageTimeout diskFallRecorded debugLockEnable duplicationEnable
     storeType enabledAppendPropCRC useABSLock maxMsgsNumBatch defaultQueryMaxNum messageStorePlugIn
     coldDataFlowControlEnable coldDataScanEnable dataReadAheadEnable`,
  ],
  [
    'expired segments go as soon as cleanResourceInterval finds them',
    `deleteWhen diskMaxUsedSpaceRatio deleteCommitLogFilesInterval deleteConsumeQueueFilesInterval deleteFileBatchMax
     destroyMapedFileIntervalForcibly redeleteHangedFileInterval`,
  ],
  [
    'recovery always checks every record and is bounded by snapshots',
    'checkCRCOnRecover maxRecoveryCommitlogFiles recoverConcurrently forceVerifyPropCRC',
  ],
  [
    'progress is a record of the log',
    `flushConsumerOffsetInterval flushConsumerOffsetHistoryInterval flushDelayOffsetInterval
     consumerOffsetUpdateVersionStep delayOffsetUpdateVersionStep enableBroadcastOffsetStore broadcastOffsetExpireSecond
     broadcastOffsetExpireMaxSecond offsetCheckInSlave`,
  ],
  [
    'consumers of the gRPC API share messages one by one; there is nothing to revive or to balance',
    `popPollingSize popPollingMapSize maxPopPollingSize reviveQueueNum reviveInterval reviveScanTime reviveMaxSlow
     reviveAckWaitMs enableSkipLongAwaitingAck enablePopLog enablePopBufferMerge popCkStayBufferTime
     popCkStayBufferTimeOut popCkMaxBufferSize popCkOffsetMaxQueueSize enablePopBatchAck
     enableNotifyAfterPopOrderLockRelease enableRetryTopicV2 retrieveMessageFromPopRetryTopicV1 popFromRetryProbability
     initPopOffsetByCheckMsgInMem enablePopMessageThreshold popInflightMessageThreshold appendCkAsync appendAckAsync
     serverLoadBalancerEnable defaultMessageRequestMode defaultPopShareQueueNum longPollingEnable shortPollingTimeMills
     notifyConsumerIdsChangedEnable realTimeNotifyConsumerChange litePullMessageEnable rejectPullConsumerEnable
     loadBalancePollNameServerInterval useServerSideResetOffset`,
  ],
  [
    'registration is a stream to each name server: changes are pushed at once, and a heartbeat goes each second',
    `registerNameServerPeriod registerBrokerTimeoutMills forceRegister compressedRegister brokerHeartbeatInterval
     sendHeartbeatTimeoutMillis brokerNotActiveTimeoutMillis enableSplitRegistration splitRegistrationSize
     fetchNamesrvAddrByAddressServer fetchNameSrvAddrByDnsLookup compatibleWithOldNameSrv syncBrokerMemberGroupPeriod`,
  ],
  [
    'a slave in sync has all that is confirmed, and a send of a SYNC_MASTER waits for every slave in sync',
    `haMaxGapNotInSync haSlaveFallbehindMax totalReplicas inSyncReplicas allAckInSyncStateSet enableAutoInSyncReplicas
     haFlowControlEnable asyncLearner syncFromLastFile isEnableBatchPush brokerIP2`,
  ],
  [
    'who leads is decided over a Lease (`coordinator`), and metadata is part of the log',
    `enableControllerMode controllerAddr fetchControllerAddrByDnsLookup syncBrokerMetadataPeriod checkSyncStateSetPeriod
     syncControllerMetadataPeriod controllerHeartBeatTimeoutMills brokerElectionPriority lockInStrictMode skipPreOnline
     enableDLegerCommitLog dLegerGroup dLegerPeers dLegerSelfId preferredLeaderId enableSlaveActingMaster
     enableRemoteEscape`,
  ],
  [
    'timed messages and transactions are records of the log and views of it, exact to the millisecond',
    `messageDelayLevel timerWheelEnable timerPrecisionMs timerRollWindowSlot timerFlushIntervalMs
     timerCheckMetricsWhen timerCongestNumEachSlot timerInterceptDelayLevel timerEnableDisruptor
     transactionOpMsgMaxSize transactionOpBatchInterval
     allowRecallWhenBrokerNotWriteable`,
  ],
  [
    'users and permissions come with a later version',
    `aclEnable authenticationEnabled authenticationProvider authenticationMetadataProvider initAuthenticationUser
     innerClientAuthenticationCredentials authorizationEnabled authorizationProvider authorizationMetadataProvider
     authenticationWhitelist authorizationWhitelist migrateAuthFromV1Enabled`,
  ],
  [
    'the index of keys grows as it needs to, and is made again from the log',
    'messageIndexSafe maxHashSlotNum maxIndexNum',
  ],
  [
    'compaction, light topics and traces come with a later version',
    `enableCompaction
     compactionScheduleInternal compactionThreadNum enableLmq enableMultiDispatch maxLmqConsumeQueueNum
     enableMixedMessageType traceTopicEnable msgTraceTopicName traceOn storeReplyMessageEnable`,
  ],
  [
    'filters are compiled and asked when messages are handed out; nothing is calculated when they are stored',
    `enableCalcFilterBitMap filterSupportRetry expectConsumerNumUseFilter maxErrorRateOfBloomFilter
     filterDataCleanTimeSpan`,
  ],
  [
    'a lite topic that has something to give is known at once, and lag is told by getLiteGroupInfo',
    `enableLiteEventMode liteEventCheckInterval maxClientEventCount liteEventFullDispatchDelayTime
     liteEventFullDispatchDelayTimeForWildcardGroup enableLitePopLog liteLagLatencyCollectEnable
     liteLagLatencyMetricsEnable liteLagCountMetricsEnable liteLagLatencyTopK enableLmqQuota`,
  ],
  [
    'limits of memory and connections replace it',
    `enableNetWorkFlowControl disableConsumeIfConsumerReadSlowly consumerFallbehindThreshold highSpeedMode
     channelExpiredTimeout subscriptionExpiredTimeout`,
  ],
  [
    'metrics are served on metricsPromExporterPort',
    `metricsExporterType metricsGrpcExporterTarget metricsGrpcExporterHeader metricGrpcExporterTimeOutInMills
     metricGrpcExporterIntervalInMills metricLoggingExporterIntervalInMills metricsInDelta metricsLabel
     accountStatsEnable accountStatsPrintZeroValues enableDetailStat autoDeleteUnusedStats commercialBaseCount
     commercialSizePerMsg estimateAccumulation`,
  ],
  [
    'the program brings it along',
    `rocketmqHome brokerConfigPath configBlackList regionId isolateLogEnable clusterTopicEnable brokerTopicEnable
     validateSystemTopicWhenUpdateTopic clearRetryTopicWhenDeleteTopic startAcceptSendRequestTimeStamp
     useStaticSubscription forwardTimeout cleanOfflineBrokerInterval`,
  ],
];

/** Reason by key. */
export const withoutEffect: ReadonlyMap<string, string> = new Map(
  KEYS_BY_REASON.flatMap(([reason, keys]) => keys.split(/\s+/).map((key): [string, string] => [key, reason])),
);
