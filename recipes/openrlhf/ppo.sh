#!/usr/bin/env bash
# PPO with OpenRLHF 0.11 over any rlvr environment, single- or multi-turn:
#
#   rlvr data openrlhf gsm8k -o data
#   recipes/openrlhf/ppo.sh Qwen/Qwen2.5-1.5B-Instruct data/train.jsonl
#
# It needs one GPU, which trainer and vLLM use in turns; the critic starts from the policy's weights. Further
# arguments are passed to OpenRLHF and override those below. See docs/openrlhf.md.
set -euo pipefail
model=$1 data=$2
shift 2
exec python -m openrlhf.cli.train_ppo_ray \
  --actor.model_name_or_path "$model" \
  --critic.model_name_or_path "$model" \
  --data.prompt_dataset "$data" \
  --data.input_key input --data.label_key label --data.apply_chat_template \
  --train.agent_func_path "$(dirname "$0")/agent.py" \
  --algo.advantage.estimator gae --algo.advantage.gamma 1.0 --algo.advantage.lambd 1.0 \
  --rollout.n_samples_per_prompt 1 \
  --algo.kl.init_coef 1e-3 --algo.kl.estimator k1 \
  --data.max_len 2048 --rollout.max_new_tokens 1024 \
  --rollout.batch_size 512 --rollout.micro_batch_size 8 \
  --train.batch_size 128 --train.micro_batch_size 4 \
  --actor.num_gpus_per_node 1 --critic.num_gpus_per_node 1 --ref.num_gpus_per_node 1 \
  --critic.freezing_steps 5 \
  --vllm.num_engines 1 --vllm.gpu_memory_utilization 0.4 \
  --train.colocate_all --vllm.enable_sleep --ds.enable_sleep \
  --actor.gradient_checkpointing_enable \
  --ckpt.output_dir runs/openrlhf-ppo \
  --logger.tensorboard_dir runs/openrlhf-ppo/tensorboard \
  "$@"
