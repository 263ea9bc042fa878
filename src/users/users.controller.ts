import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import {
  ApiConsumes,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { Actor } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentActor } from '../access/current-actor.decorator';
import type { Page } from '../common/page.dto';
import { ApiPage } from '../http/api-page.decorator';
import { ApiProblem } from '../http/api-problem.decorator';
import { ApiTenantParam, IdParam } from '../http/id-param.decorator';
import { Idempotent } from '../http/idempotent.decorator';
import { IfMatch } from '../http/if-match.decorator';
import { CreateUserDto, ListUsersQuery, ReadUserQuery, UpdateUserDto, UserDto } from './user.dto';
import { UsersService } from './users.service';

@Controller('v1/tenants/:tenantId/users')
@ApiTags('users')
@ApiTenantParam()
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Get()
  @ApiOperation({ operationId: 'listUsers', summary: 'List the users of a tenant' })
  @Can('read', 'User')
  @ApiPage(UserDto)
  list(@CurrentActor() actor: Actor, @Query() query: ListUsersQuery): Promise<Page<UserDto>> {
    return this.users.list(actor, query);
  }

  @Post()
  @Idempotent()
  @ApiOperation({ operationId: 'addUser', summary: 'Make a person a user of the tenant' })
  @Can('invite', 'User')
  @ApiCreatedResponse({ type: UserDto })
  @ApiProblem('permission_not_held', 'field_not_permitted', 'user_exists', 'account_exists')
  create(@CurrentActor() actor: Actor, @Body() input: CreateUserDto): Promise<UserDto> {
    return this.users.create(actor, input);
  }

  @Get(':userId')
  @ApiOperation({ operationId: 'readUser', summary: 'Read a user' })
  @Can('read', 'User')
  @ApiOkResponse({ type: UserDto })
  read(@CurrentActor() actor: Actor, @IdParam('userId') id: string, @Query() query: ReadUserQuery): Promise<UserDto> {
    return this.users.read(actor, id, query);
  }

  @Patch(':userId')
  @ApiOperation({ operationId: 'updateUser', summary: 'Rename, suspend or resume a user' })
  @Can('update', 'User')
  @ApiConsumes('application/json', 'application/merge-patch+json')
  @ApiOkResponse({ type: UserDto })
  @ApiProblem('permission_not_held', 'field_not_permitted', 'last_owner')
  update(
    @CurrentActor() actor: Actor,
    @IdParam('userId') id: string,
    @IfMatch() version: number | undefined,
    @Body() input: UpdateUserDto,
  ): Promise<UserDto> {
    return this.users.update(actor, id, version, input);
  }

  @Delete(':userId')
  @ApiOperation({ operationId: 'removeUser', summary: 'Take a user out of the tenant' })
  @Can('remove', 'User')
  @HttpCode(204)
  @ApiNoContentResponse()
  @ApiProblem('permission_not_held', 'last_owner')
  remove(
    @CurrentActor() actor: Actor,
    @IdParam('userId') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<void> {
    return this.users.remove(actor, id, version);
  }
}
