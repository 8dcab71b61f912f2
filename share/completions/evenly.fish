# fish completion for evenly: share/fish/vendor_completions.d/evenly.fish

set -l commands serve check alert-test demo backend get bench simulate status why timeline drain ready \
    maint pause resume reload diff upgrade healthcheck
set -l asking status why timeline drain ready maint pause resume reload diff upgrade healthcheck

complete -c evenly -f
set -l none "not __fish_seen_subcommand_from $commands"
complete -c evenly -n $none -a serve -d 'balance until told to stop'
complete -c evenly -n $none -a check -d 'say whether the configuration is fine'
complete -c evenly -n $none -a alert-test -d 'send a message by each alert of the file'
complete -c evenly -n $none -a demo -d 'three demo backends and the balancer in one process'
complete -c evenly -n $none -a backend -d 'be a demo backend'
complete -c evenly -n $none -a get -d 'get a path from whichever application is well'
complete -c evenly -n $none -a bench -d 'measure a URL'
complete -c evenly -n $none -a simulate -d 'compare policies on a virtual clock'
complete -c evenly -n $none -a status -d 'how a running balancer stands'
complete -c evenly -n $none -a why -d 'why a backend is as it is'
complete -c evenly -n $none -a timeline -d 'what happened, and what was counted meanwhile'
complete -c evenly -n $none -a drain -d 'give a backend no new requests'
complete -c evenly -n $none -a ready -d 'give it requests again'
complete -c evenly -n $none -a maint -d 'no new requests, and close its tunnels'
complete -c evenly -n $none -a pause -d 'hold new requests for a moment'
complete -c evenly -n $none -a resume -d 'let them go on'
complete -c evenly -n $none -a reload -d 'read the file anew'
complete -c evenly -n $none -a diff -d 'say what a reload would change'
complete -c evenly -n $none -a upgrade -d 'have the new program take over'
complete -c evenly -n $none -a healthcheck -d 'say by the exit status whether it serves'

complete -c evenly -s h -l help -d 'help'
complete -c evenly -s V -l version -d 'the version'
complete -c evenly -n "not __fish_seen_subcommand_from demo backend bench" -s c -l config -r -F \
    -d 'the configuration'

set -l serving "$none; or __fish_seen_subcommand_from serve check demo"
complete -c evenly -n $serving -l listen -x -d 'address of the server'
complete -c evenly -n $serving -l workers -x -d 'threads, 0 is one a core'
complete -c evenly -n "$serving; or __fish_seen_subcommand_from get alert-test" -l set -x -d 'TABLE.KEY=VALUE'
complete -c evenly -n '__fish_seen_subcommand_from check' -l all -d 'every key'
complete -c evenly -n '__fish_seen_subcommand_from check' -l route -x -d 'only where this URL goes'

set -l backend '__fish_seen_subcommand_from backend'
complete -c evenly -n $backend -l listen -x -d 'of the first instance'
complete -c evenly -n $backend -l name -x -d 'of the first instance'
complete -c evenly -n $backend -l instances -x -d 'how many'
complete -c evenly -n $backend -l seed -x -d 'a fixed pattern'
complete -c evenly -n $backend -l unhealthy -d 'begin with 503'

set -l get '__fish_seen_subcommand_from get'
complete -c evenly -n '__fish_seen_subcommand_from get simulate' -l pool -x -d 'which, where there are several'
complete -c evenly -n $get -l wait -x -d 'while none is well'
complete -c evenly -n $get -l timeout -x -d 'for the call'
complete -c evenly -n $get -l verbose -d 'tell who is used'

set -l bench '__fish_seen_subcommand_from bench'
complete -c evenly -n $bench -l requests -x -d 'stop after so many'
complete -c evenly -n $bench -l duration -x -d 'stop after so long'
complete -c evenly -n $bench -l workers -x -d 'connections at a time'
complete -c evenly -n $bench -l rate -x -d 'requests due a second'
complete -c evenly -n $bench -l timeout -x -d 'for one exchange'
complete -c evenly -n $bench -l method -x -d 'GET, unless there is a body'
complete -c evenly -n $bench -l header -x -d 'NAME: VALUE'
complete -c evenly -n $bench -l body -x -d 'or @FILE'
complete -c evenly -n $bench -l no-keep-alive -d 'a connection for each request'
complete -c evenly -n $bench -l cacert -r -F -d 'whom to trust'
complete -c evenly -n $bench -l insecure -d 'take whatever certificate'
complete -c evenly -n $bench -l json -d 'for programs'
complete -c evenly -n $bench -l html -r -F -d 'a page as well'

set -l simulate '__fish_seen_subcommand_from simulate'
complete -c evenly -n $simulate -l scenario -r -F -d 'a name or a file' \
    -a 'homogeneous one-slow one-flaky mixed-hardware rolling-deploy brownout flapping thundering-recovery'
complete -c evenly -n $simulate -l seeds -x -d 'which, such as 1..50'
complete -c evenly -n $simulate -l seed -x -d 'one'
complete -c evenly -n $simulate -l instances -x -d 'how many'
complete -c evenly -n $simulate -l requests -x -d 'a run'
complete -c evenly -n $simulate -l policy -x -d 'which' \
    -a 'round-robin weighted-round-robin least-connections two-choices hash first-alive scored-round-robin'
complete -c evenly -n $simulate -l retry -d 'try again what failed'
complete -c evenly -n $simulate -l json -d 'for programs'
complete -c evenly -n $simulate -l html -r -F -d 'a page as well'

complete -c evenly -n "__fish_seen_subcommand_from $asking" -l socket -r -F -d 'the one at this socket'
complete -c evenly -n "__fish_seen_subcommand_from $asking" -l url -x -d 'the one at this address'
complete -c evenly -n "__fish_seen_subcommand_from $asking; and not __fish_seen_subcommand_from healthcheck" \
    -l all -x -d 'several, with commas between'

complete -c evenly -n '__fish_seen_subcommand_from status why timeline' -l json -d 'for programs'
complete -c evenly -n '__fish_seen_subcommand_from status' -l names -d 'the names alone'
complete -c evenly -n '__fish_seen_subcommand_from status' -l watch -d 'again and again'

complete -c evenly -n '__fish_seen_subcommand_from timeline' -l since -x -d 'from when on'

set -l mode '__fish_seen_subcommand_from drain maint ready'
complete -c evenly -n $mode -l wait -x -d 'until it is so'
complete -c evenly -n '__fish_seen_subcommand_from drain maint' -l force -d 'even the last one'
complete -c evenly -n '__fish_seen_subcommand_from why drain maint ready' \
    -a '(evenly status --names 2>/dev/null)' -d backend
complete -c evenly -n '__fish_seen_subcommand_from pause' -l for -x -d 'at most'
complete -c evenly -n '__fish_seen_subcommand_from healthcheck' -l live -d 'that it runs is enough'
complete -c evenly -n '__fish_seen_subcommand_from diff' -F
