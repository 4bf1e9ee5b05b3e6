-- Runs and transfers of a conversation, as agent_spans_conversation finds its spans.

CREATE INDEX agent_runs_conversation ON agent_runs (md5(conversation_id)) WHERE conversation_id <> '';
CREATE INDEX transfers_conversation ON transfers (md5(conversation_id)) WHERE conversation_id <> '';
