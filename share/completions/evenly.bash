# bash completion for evenly: share/bash-completion/completions/evenly

# The words that begin as what is typed. compgen -W would run what a word has in $( ) or ` `, and a
# backend's name comes from a file.
_evenly_offer() {
    local word
    while IFS= read -r word; do
        if [[ $word == "$cur"* ]]; then COMPREPLY+=("$(printf '%q' "$word")"); fi
    done
}

_evenly_files() {
    compopt -o filenames 2>/dev/null
    local file
    while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$cur")
}

# The options of a command.
_evenly_options() {
    local ask='--socket --url --all --config --help'
    case $1 in
        serve) echo --config --listen --workers --set --help --version ;;
        check) echo --config --listen --workers --set --all --route --help ;;
        alert-test) echo --config --set --help ;;
        demo) echo --listen --workers --set --help ;;
        backend) echo --listen --name --instances --seed --unhealthy --help ;;
        get) echo --config --set --pool --wait --timeout --verbose --help ;;
        bench) echo --requests --duration --workers --rate --timeout --method --header --body \
            --no-keep-alive --cacert --insecure --json --html --help ;;
        simulate) echo --scenario --seeds --seed --instances --requests --policy --retry --json \
            --html --config --pool --help ;;
        status) echo --json --names --watch "$ask" ;;
        why) echo --json "$ask" ;;
        timeline) echo --since --json "$ask" ;;
        drain | maint) echo --wait --force "$ask" ;;
        ready) echo --wait "$ask" ;;
        pause) echo --for "$ask" ;;
        resume | reload | diff | upgrade) echo "$ask" ;;
        healthcheck) echo --live --socket --url --config --help ;;
    esac
}

_evenly() {
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=
    COMPREPLY=()
    if ((COMP_CWORD == 1)) && [[ $cur != -* ]]; then
        _evenly_offer < <(printf '%s\n' serve check alert-test demo backend get bench simulate status why \
            timeline drain ready maint pause resume reload diff upgrade healthcheck)
        return
    fi
    command=${COMP_WORDS[1]}
    if ((COMP_CWORD == 1)) || [[ $command == -* ]]; then command=serve; fi
    case $previous in
        -c | --config | --socket | --html | --cacert) _evenly_files && return ;;
        --scenario)
            _evenly_files
            _evenly_offer < <(printf '%s\n' homogeneous one-slow one-flaky mixed-hardware \
                rolling-deploy brownout flapping thundering-recovery)
            return
            ;;
        --policy)
            _evenly_offer < <(printf '%s\n' all round-robin weighted-round-robin least-connections \
                two-choices hash first-alive scored-round-robin)
            return
            ;;
        --listen | --workers | --set | --name | --instances | --seed | --seeds | --requests | \
            --duration | --rate | --timeout | --method | --header | --body | --wait | \
            --for | --since | --url | --route | --pool) return ;;
    esac
    if [[ $cur == -* ]]; then
        _evenly_offer < <(_evenly_options "$command" | tr ' ' '\n')
        return
    fi
    case $command in
        # Whoever is asked answers from memory; one that does not costs 5 seconds.
        why | drain | maint | ready) _evenly_offer < <("${COMP_WORDS[0]}" status --names 2>/dev/null) ;;
        diff) _evenly_files ;;
    esac
}

complete -F _evenly evenly
