BEGIN TRANSACTION;
CREATE TABLE audit (
         sequence INTEGER PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL, actor TEXT NOT NULL, actor_kind TEXT NOT NULL, action TEXT NOT NULL, model TEXT,
         deployment TEXT, status BIGINT NOT NULL, detail TEXT, remote TEXT NOT NULL, request_id TEXT NOT NULL);
INSERT INTO "audit" VALUES(1,1795715890893258,'platform','platform_psk','POST /api/models/{model}/deployments','m','daily',201,NULL,'127.0.0.1','60e0a4fd-ade0-48ae-9e31-d8a8934fb7da');
INSERT INTO "audit" VALUES(2,1795715890939044,'platform','platform_psk','POST /api/models/{model}/deployments','m','stopped',201,NULL,'127.0.0.1','eddaebc2-ca13-4edc-9c9b-004e9ab6da7a');
INSERT INTO "audit" VALUES(3,1795715890949370,'platform','platform_psk','POST /api/models/{model}/deployments','m','gone',201,NULL,'127.0.0.1','70fccfa3-f022-457a-96f6-6d60acee8476');
INSERT INTO "audit" VALUES(4,1795715890952010,'platform','platform_psk','POST /api/models/{model}/deployments','m','manual',201,NULL,'127.0.0.1','dcd0bfe0-a92e-4155-9726-384989224a78');
INSERT INTO "audit" VALUES(5,1795715890967893,'platform','platform_psk','POST /api/models/{model}/deployments/{name}/runs','m','manual',200,NULL,'127.0.0.1','ca858986-0077-4310-9094-61a83409dfef');
INSERT INTO "audit" VALUES(6,1795715890983161,'platform','platform_psk','POST /api/models/{model}/deployments/{name}/trigger','m','stopped',202,NULL,'127.0.0.1','8d2aabfc-ab6c-4db4-b5d3-44d8bb5f06f8');
INSERT INTO "audit" VALUES(7,1795715891679380,'platform','platform_psk','POST /api/models/{model}/deployments/{name}/trigger','m','gone',202,NULL,'127.0.0.1','4b31c367-98f7-44f1-a22c-d019dc1516c3');
INSERT INTO "audit" VALUES(8,1795715891822049,'platform','platform_psk','POST /api/models/{model}/deployments/{name}/stop','m','stopped',200,NULL,'127.0.0.1','5ca787e1-51f1-4957-be9f-6c1bd5ec9040');
INSERT INTO "audit" VALUES(9,1795715891824492,'platform','platform_psk','DELETE /api/models/{model}/deployments/{name}','m','gone',200,NULL,'127.0.0.1','c89f0e20-63ba-4859-afa8-7b3168487403');
INSERT INTO "audit" VALUES(10,1795715891826800,'platform','platform_psk','PATCH /api/models/{model}/deployments/{name}','m','daily',200,NULL,'127.0.0.1','c5c7c087-6928-4378-ab4f-589e501e2cce');
CREATE TABLE deployment_roles (
         deployment_id TEXT NOT NULL REFERENCES deployments (deployment_id), role TEXT NOT NULL, PRIMARY KEY (deployment_id, role));
INSERT INTO "deployment_roles" VALUES('19eb64d7-6890-48e8-b5a1-ebf1a1d9a00c','red');
INSERT INTO "deployment_roles" VALUES('19eb64d7-6890-48e8-b5a1-ebf1a1d9a00c','blue');
CREATE TABLE deployments (
         sequence INTEGER PRIMARY KEY AUTOINCREMENT, deployment_id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
         owner TEXT NOT NULL, domain TEXT NOT NULL, created_by TEXT NOT NULL, body TEXT NOT NULL, schedule TEXT, next_tick BIGINT,
         resolved_model_version TEXT, error_message TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, stopped_at BIGINT, dag_id TEXT, dag_location TEXT, dag_digest TEXT, dag_written_at BIGINT);
INSERT INTO "deployments" VALUES(1,'19eb64d7-6890-48e8-b5a1-ebf1a1d9a00c','m','daily','active','z','x','platform','{"name":"daily","model":{"model_name":"m","model_version":null,"model_alias":"champion"},"source":{"schema":"src","table":"t","catalog":"iceberg","filter_sql":"id < 7","snapshot_id":null},"target":{"schema":"ml","table":"p","catalog":"iceberg"},"entity_columns":["id"],"domain":"x","owner":"z","type":"batch","schedule":"0 6 * * *","rerun_behavior":"overwrite_partition","partition_column":"scored_at","trigger_now":true,"allowed_roles":["red","blue"]}','0 6 * * *',1795759200000000,'1',NULL,1795715890891222,1795715891825880,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "deployments" VALUES(2,'ddb82107-c97d-49a7-bd95-3eaee9e48b44','m','stopped','stopped','y','x','platform','{"name":"stopped","model":{"model_name":"m","model_version":"1","model_alias":null},"source":{"schema":"src","table":"t","catalog":"iceberg","filter_sql":null,"snapshot_id":null},"target":{"schema":"ml","table":"stopped","catalog":"iceberg"},"entity_columns":["id"],"domain":"x","owner":"y","type":"batch","schedule":null,"rerun_behavior":"overwrite_partition","partition_column":"scored_at","trigger_now":false,"allowed_roles":null}',NULL,NULL,'1',NULL,1795715890935097,1795715891820988,1795715891820988,NULL,NULL,NULL,NULL);
INSERT INTO "deployments" VALUES(3,'d7af7799-8f46-4e18-91ec-7793a8469575','m','gone','archived','y','x','platform','{"name":"gone","model":{"model_name":"m","model_version":"1","model_alias":null},"source":{"schema":"src","table":"t","catalog":"iceberg","filter_sql":null,"snapshot_id":null},"target":{"schema":"ml","table":"gone","catalog":"iceberg"},"entity_columns":["id"],"domain":"x","owner":"y","type":"batch","schedule":null,"rerun_behavior":"overwrite_partition","partition_column":"scored_at","trigger_now":false,"allowed_roles":null}',NULL,NULL,'1',NULL,1795715890948923,1795715891823342,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "deployments" VALUES(4,'d6fb704a-c5e5-43f4-8f3b-a09fceca6f2f','m','manual','active','y','x','platform','{"name":"manual","model":{"model_name":"m","model_version":"1","model_alias":null},"source":{"schema":"src","table":"t","catalog":"iceberg","filter_sql":null,"snapshot_id":null},"target":{"schema":"ml","table":"manual","catalog":"iceberg"},"entity_columns":["id"],"domain":"x","owner":"y","type":"batch","schedule":null,"rerun_behavior":"overwrite_partition","partition_column":"scored_at","trigger_now":false,"allowed_roles":null}',NULL,NULL,'1',NULL,1795715890951694,1795715890951694,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE holds (what TEXT PRIMARY KEY, server TEXT NOT NULL, until BIGINT NOT NULL);
CREATE TABLE people (
         subject TEXT PRIMARY KEY, username TEXT NOT NULL, roles TEXT NOT NULL, token_issued_at BIGINT NOT NULL);
CREATE TABLE runs (
         sequence INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, deployment_id TEXT NOT NULL REFERENCES deployments (deployment_id),
         cause TEXT NOT NULL, logical_date BIGINT NOT NULL, status TEXT NOT NULL, attempt BIGINT NOT NULL, rows_scored BIGINT,
         snapshot_id BIGINT, model_version TEXT, airflow_run_id TEXT, error_message TEXT, queued_at BIGINT NOT NULL,
         started_at BIGINT, finished_at BIGINT, cancelled_by TEXT, leased_by TEXT, leased_until BIGINT);
INSERT INTO "runs" VALUES(1,'480b1639-47cb-4bc5-b993-e1211875df71','19eb64d7-6890-48e8-b5a1-ebf1a1d9a00c','manual',1795715890891222,'succeeded',1,7,3283544320389776726,'1',NULL,NULL,1795715890891222,1795715890900142,1795715891031588,NULL,NULL,1795715920983000);
INSERT INTO "runs" VALUES(2,'2ad45a83-f5c2-599d-b629-ae1fb153add8','d6fb704a-c5e5-43f4-8f3b-a09fceca6f2f','airflow',1795715890953245,'failed',1,NULL,NULL,NULL,'scheduled__1','it was too late',1795715890953245,1795715890953245,1795715890953245,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(3,'fe0408df-a2b5-4be5-b7a8-ac614f6c2703','ddb82107-c97d-49a7-bd95-3eaee9e48b44','manual',1795715890969058,'succeeded',1,300,4442832645082819061,'1',NULL,NULL,1795715890969058,1795715891538993,1795715891676652,NULL,NULL,1795715921593000);
INSERT INTO "runs" VALUES(4,'7d683878-a515-43ed-a6ba-9b5874982cdd','d7af7799-8f46-4e18-91ec-7793a8469575','manual',1795715891678470,'succeeded',1,300,8993905040671759150,'1',NULL,NULL,1795715891678470,1795715891680810,1795715891792599,NULL,NULL,1795715921680000);
CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO "schema_version" VALUES(27);
CREATE TABLE user_keys (
         sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL REFERENCES people (subject), hash TEXT NOT NULL UNIQUE,
         description TEXT NOT NULL, created_at BIGINT NOT NULL, revoked_at BIGINT);
CREATE TABLE webhook_deliveries (
         sequence INTEGER PRIMARY KEY AUTOINCREMENT, delivery_id TEXT NOT NULL UNIQUE, webhook TEXT NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL,
         status TEXT NOT NULL, attempts BIGINT NOT NULL, next_attempt BIGINT NOT NULL, last_error TEXT, created_at BIGINT NOT NULL);
CREATE UNIQUE INDEX deployment_names ON deployments (model, name) WHERE status <> 'archived';
CREATE INDEX deployment_ticks ON deployments (next_tick) WHERE status = 'active' AND next_tick IS NOT NULL;
CREATE INDEX deployments_of_model ON deployments (model, sequence);
CREATE INDEX runs_of_deployment ON runs (deployment_id, sequence);
CREATE INDEX runs_in_progress ON runs (status, sequence) WHERE status IN ('queued', 'running');
CREATE UNIQUE INDEX one_run_at_a_time ON runs (deployment_id) WHERE leased_by IS NOT NULL;
CREATE UNIQUE INDEX one_run_per_tick ON runs (deployment_id, logical_date) WHERE cause = 'schedule';
CREATE INDEX keys_of_subject ON user_keys (subject, sequence);
CREATE INDEX audit_of_deployment ON audit (model, deployment, sequence);
CREATE INDEX webhooks_due ON webhook_deliveries (next_attempt) WHERE status = 'pending';
CREATE INDEX webhooks_in_status ON webhook_deliveries (status, sequence);
CREATE UNIQUE INDEX dag_ids ON deployments (dag_id) WHERE dag_id IS NOT NULL;
CREATE INDEX runs_in_airflow ON runs (deployment_id, airflow_run_id, sequence) WHERE airflow_run_id IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('deployments',4);
INSERT INTO "sqlite_sequence" VALUES('runs',4);
INSERT INTO "sqlite_sequence" VALUES('audit',10);
COMMIT;
