-- A store of schema 5, as the nbflow of that time wrote it. Never to be changed.
CREATE TABLE cache(
    key TEXT PRIMARY KEY,
    activity TEXT NOT NULL,
    code TEXT NOT NULL,
    inputs TEXT NOT NULL,
    run TEXT NOT NULL,
    call TEXT NOT NULL,
    at REAL NOT NULL,
    run_ns INTEGER NOT NULL,
    size INTEGER NOT NULL,
    result TEXT NOT NULL,
    parts TEXT NOT NULL
);
CREATE TABLE lease(
    run INTEGER PRIMARY KEY REFERENCES run(id),
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    born INTEGER NOT NULL,
    token TEXT NOT NULL,
    since REAL NOT NULL,
    seen REAL NOT NULL
);
CREATE TABLE log(
    key INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    events TEXT NOT NULL
, sum INTEGER);
INSERT INTO "log" VALUES(68719476737,1,'[["RunStarted",[1,100.0,"flow",[1,"two"],{"rate":1.5},"threads",1,"","",[]]]]',NULL);
INSERT INTO "log" VALUES(68719476738,3,'[["CallScheduled",[2,101.0,"f-1","f",[1,{"$json":"[1,\"\\u00e9\"]"}],null,[],0,[],"abc"]],["CallSucceeded",[3,102.0,"f-1",1,{"$pickle":"gAWVLgAAAAAAAACMCGJ1aWx0aW5zlIwHY29tcGxleJSTlEc/8AAAAAAAAEc/8AAAAAAAAIaUUpQu"},"thread-1",101.5,5,4,3,2,0]]]',NULL);
INSERT INTO "log" VALUES(68719476740,5,'[["CallFailed",[4,103.0,"g-1",1,{"kind":"ValueError","bases":["ValueError","Exception"],"message":"no","frames":[["a.py",1,"f","x"]],"pickled":null},null,null,false]],["RunClosed",[5,104.0,"completed",7,null,""]]]',NULL);
INSERT INTO "log" VALUES(137438953473,1,'[["RunStarted",[1,100.0,"flow",[1,"two"],{"rate":1.5},"threads",1,"","",[]]]]',NULL);
INSERT INTO "log" VALUES(137438953474,3,'[["CallScheduled",[2,101.0,"f-1","f",[1,{"$json":"[1,\"\\u00e9\"]"}],null,[],0,[],"abc"]],["CallSucceeded",[3,102.0,"f-1",1,{"$pickle":"gAWVLgAAAAAAAACMCGJ1aWx0aW5zlIwHY29tcGxleJSTlEdAAAAAAAAAAEc/8AAAAAAAAIaUUpQu"},"thread-1",101.5,5,4,3,2,0]]]',NULL);
CREATE TABLE run(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL,
    place TEXT NOT NULL, status TEXT NOT NULL, created REAL NOT NULL, closed REAL);
INSERT INTO "run" VALUES(1,'flow-a1','flow','threads','completed',100.0,104.0);
INSERT INTO "run" VALUES(2,'flow-b2','flow','threads','running',100.0,NULL);
CREATE INDEX cache_by_time ON cache(activity, at);
CREATE INDEX cache_by_inputs ON cache(activity, inputs, at);
PRAGMA application_id=1851942508;
PRAGMA user_version=5;
