# Stages of a long command, to be sourced: says what comes and for how long, and at each stage what has passed and what is left.
#   begin_stages FILE "NAME|SECONDS"...   announces all; FILE keeps the times of the last run, which then stand for SECONDS
#   stage NAME                            ends the one before and begins this one
#   end_stages                            ends the last one
# SECONDS are those of a machine of two cores that compiles everything for the first time.
stage_names=() stage_now="" stage_began=0
declare -A stage_seconds=() stage_took=()

in_words() {
  if (($1 < 90)); then echo "$1 s"; else echo "$((($1 + 30) / 60)) min"; fi
}

begin_stages() {
  local entry name seconds total=0
  stage_file=$1
  shift
  for entry; do
    stage_names+=("${entry%|*}")
    stage_seconds[${entry%|*}]=${entry##*|}
  done
  if [[ -f $stage_file ]]; then
    while IFS='|' read -r name seconds; do
      [[ ! -v stage_seconds[$name] ]] || stage_seconds[$name]=$seconds
    done <"$stage_file"
  fi
  for name in "${stage_names[@]}"; do
    printf '    %-45s about %s\n' "$name" "$(in_words "${stage_seconds[$name]}")"
    total=$((total + stage_seconds[$name]))
  done
  if [[ -f $stage_file ]]; then echo "    in all about $(in_words $total), as the last run on this machine took"
  else echo "    in all about $(in_words $total) the first time on two cores, far less when little has changed"; fi
}

finish_stage() {
  [[ -z $stage_now ]] || stage_took[$stage_now]=$((SECONDS - stage_began))
}

stage() {
  local name number=0 left=0
  finish_stage
  stage_now=$1 stage_began=$SECONDS
  for name in "${stage_names[@]}"; do
    [[ -v stage_took[$name] ]] || left=$((left + stage_seconds[$name]))
    [[ $name != "$1" ]] || number=$((${#stage_took[@]} + 1))
  done
  printf '\n==> [%d/%d] %s   (%s passed, about %s left)\n' "$number" "${#stage_names[@]}" "$1" "$(in_words $SECONDS)" "$(in_words $left)"
}

# One line for each stage that is over.
print_stage_times() {
  local name
  for name in "${stage_names[@]}"; do
    [[ ! -v stage_took[$name] ]] || printf '%-45s %5d s\n' "$name" "${stage_took[$name]}"
  done
}

end_stages() {
  local name
  finish_stage
  for name in "${stage_names[@]}"; do echo "$name|${stage_took[$name]}"; done >"$stage_file"
  stage_now=""
}
