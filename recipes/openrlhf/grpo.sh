#!/usr/bin/env bash
# GRPO with OpenRLHF 0.11 over any rlvr environment, single- or multi-turn:
#
#   rlvr data openrlhf gsm8k -o data
#   recipes/openrlhf/grpo.sh Qwen/Qwen2.5-1.5B-Instruct data/train.jsonl
#
# It needs one GPU, which trainer and vLLM use in turns. Further arguments are passed to OpenRLHF and override
# those below. See docs/openrlhf.md.
set -euo pipefail
model=$1 data=$2
shift 2
exec python -m openrlhf.cli.train_ppo_ray \
  --actor.model_name_or_path "$model" \
  --data.prompt_dataset "$data" \
  --data.input_key input --data.label_key label --data.apply_chat_template \
  --train.agent_func_path "$(dirname "$0")/agent.py" \
  --algo.advantage.estimator group_norm \
  --rollout.n_samples_per_prompt 8 \
  --algo.kl.init_coef 1e-3 --algo.kl.use_loss --algo.kl.estimator k3 \
  --data.max_len 2048 --rollout.max_new_tokens 1024 \
  --rollout.batch_size 128 --rollout.micro_batch_size 8 \
  --train.batch_size 512 --train.micro_batch_size 4 \
  --actor.num_gpus_per_node 1 --ref.num_gpus_per_node 1 \
  --vllm.num_engines 1 --vllm.gpu_memory_utilization 0.5 \
  --train.colocate_all --vllm.enable_sleep --ds.enable_sleep \
  --actor.gradient_checkpointing_enable \
  --ckpt.output_dir runs/openrlhf-grpo \
  --logger.tensorboard_dir runs/openrlhf-grpo/tensorboard \
  "$@"
